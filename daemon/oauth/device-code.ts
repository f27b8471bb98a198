import type { Seconds } from '../../protocol/credential.ts';
import type { Refusal } from '../../protocol/handler.ts';
import type { OAuthReply } from './oauth-plan.ts';
import { lifetimeOf } from './schedule.ts';
import { refused } from './sign-in-outcome.ts';
import { isPage } from './sign-in-page.ts';

/** Seconds between two questions where the provider does not say, and the least that it may say (RFC 8628, 3.2 and 3.5). */
const INTERVAL: Seconds = 5;
const INTERVAL_MIN: Seconds = 1;

/** What a person is shown to let a device in, in seconds and in text without control characters. */
export type DeviceCode = {
  readonly userCode: string;
  readonly url: string;
  /** The same page with the code in it. */
  readonly wholeUrl?: string | undefined;
  readonly interval: Seconds;
  readonly life: Seconds;
};

/**
 * What a provider answered to a request for a device's code (RFC 8628, 3.2), for a login that may take `most` seconds. A refusal
 * where a person could not use it: a page that is none of https, a code that cannot be typed, an interval beyond its life.
 */
export function deviceCodeOf(
  answer: Extract<OAuthReply, { oauth: object }>['oauth'],
  most: Seconds,
): DeviceCode | Refusal {
  const { userCode = '', verificationUrl = '', verificationUrlComplete, expiresIn } = answer;
  if (!isTypable(userCode)) {
    return refused(
      'unavailable',
      'the code that the provider names is empty or holds a control character; tell its operator',
    );
  }
  if (!isPage(verificationUrl)) {
    return refused(
      'denied',
      'the page that the provider names is none of https; tell its operator, or look at --issuer',
    );
  }
  const life = Math.min(lifetimeOf(expiresIn) ?? most, most);
  const interval = Math.max(INTERVAL_MIN, answer.interval ?? INTERVAL);
  if (interval >= life) {
    const times = `every ${interval} s, and its code is good for ${life} s`;
    return refused('unavailable', `the provider wants to be asked ${times}: no answer could come; tell its operator`);
  }
  const wholeUrl = verificationUrlComplete !== undefined && isPage(verificationUrlComplete);
  return { userCode, url: verificationUrl, wholeUrl: wholeUrl ? verificationUrlComplete : undefined, interval, life };
}

function isTypable(code: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be in it
  return code !== '' && !/[\u0000-\u001f\u007f-\u009f]/.test(code);
}
