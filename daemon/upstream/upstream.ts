import { randomBytes } from 'node:crypto';
import type { Secret, SecretKeeper } from '../../protocol/secret.ts';
import { withBytes } from '../backends/secrets.ts';
import type { IoDeadline } from '../io-deadline.ts';
import { Child } from '../processes/child.ts';
import { frame, openReply, REPLY_KEY_LENGTH } from '../processes/frames.ts';
import type { Needs } from '../processes/sandbox.ts';
import { siftSecrets } from './incoming.ts';
import { REPLY_MAX } from './limits.ts';
import type { Reply, SecretName } from './plan.ts';

/** Milliseconds that a child may take to come up on a busy machine. */
const START_DEADLINE = 15_000;
/** Milliseconds beyond a plan's own deadline after which the child is killed: by then it should have said that it is late. */
const GRACE = 2_000;
/** Children at a time: each is a process of 50 MB. */
const CHILDREN_MAX = 4;

export type UpstreamParts = {
  /** The child's program: `upstream-child.cjs` beside the agent's bundle, or `child.ts`. */
  readonly childPath: string;
  /** The node that runs it. @default {process.execPath} */
  readonly nodePath?: string;
  readonly keep: SecretKeeper;
  /** Told what each child says of itself when it is up (native/child-walls.ts). */
  readonly onUp?: ((parts: readonly Buffer[]) => void) | undefined;
};

/** What a child answered. The secrets are the caller's to dispose of. */
export type UpstreamAnswer<R = Reply> = {
  readonly reply: R;
  readonly secrets: ReadonlyMap<SecretName, Secret>;
  /** What came and cannot be kept, with the reason (incoming.ts). */
  readonly unfit?: ReadonlyMap<SecretName, string>;
};

/** Runs upstream children: one for each operation, with nothing in it but what that needs. */
export class Upstream {
  readonly #parts: UpstreamParts;
  readonly #waiting: (() => void)[] = [];
  readonly #kill = new Set<() => void>();
  /** Calls that may change something at a service, and when each is over at the latest (performance.now()). */
  readonly #changing = new Map<Promise<unknown>, number>();
  #running = 0;
  #isClosing = false;

  constructor(parts: UpstreamParts) {
    this.#parts = parts;
  }

  /**
   * Has a child do one operation. The secrets are borrowed until it is under way. It always answers: what went wrong is a
   * `failure` of the reply, and `unreachable` means that nothing was sent. A plan that only reads has the method GET.
   */
  async run<R = Reply>(
    operation: string,
    plan: { readonly deadline: number; readonly method?: string | undefined },
    secrets: Readonly<Partial<Record<SecretName, Secret>>>,
  ): Promise<UpstreamAnswer<R>> {
    const replyKey = randomBytes(REPLY_KEY_LENGTH);
    const request = requestOf(operation, replyKey, plan, Object.entries(secrets));
    try {
      await this.#turn();
      try {
        if (this.#isClosing) return { reply: { failure: 'unreachable' } as R, secrets: new Map() };
        const answered = this.#run(request, replyKey, plan.deadline);
        if (plan.method !== 'GET') this.#change(answered, plan.deadline);
        return (await answered) as UpstreamAnswer<R>;
      } finally {
        this.#running--;
        this.#waiting.shift()?.();
      }
    } finally {
      request.fill(0);
      replyKey.fill(0);
    }
  }

  /** Milliseconds until every call that may change something is over at the latest; 0 if none is out. */
  get outFor(): number {
    return Math.max(0, ...[...this.#changing.values()].map((until) => until - performance.now()));
  }

  /**
   * Sends nothing from now on, and settles when every call that may change something has its answer: what a service has spent
   * or made meanwhile could not be had again. Each ends by its own deadline.
   */
  async drain(): Promise<void> {
    this.#isClosing = true;
    while (this.#changing.size > 0) await Promise.allSettled(this.#changing.keys());
  }

  /** Ends every child in the middle of what it does. */
  dispose(): void {
    this.#isClosing = true;
    for (const kill of this.#kill) kill();
  }

  #change(answered: Promise<unknown>, deadline: number): void {
    this.#changing.set(answered, performance.now() + START_DEADLINE + deadline + GRACE);
    const over = () => void this.#changing.delete(answered);
    void answered.then(over, over);
  }

  async #turn(): Promise<void> {
    while (this.#running >= CHILDREN_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #run(request: Buffer, replyKey: Buffer, deadline: number): Promise<UpstreamAnswer> {
    const { childPath, nodePath, onUp } = this.#parts;
    return new Promise<UpstreamAnswer>((resolve) => {
      let isOver = false;
      let isLate = false;
      let deadlineOfCall: IoDeadline | undefined;
      const end = (answer: UpstreamAnswer) => {
        isOver = true;
        deadlineOfCall?.clear();
        this.#kill.delete(kill);
        kill();
        resolve(answer);
      };
      const child = new Child({
        program: childPath,
        nodePath,
        needs: upstreamNeeds,
        startDeadline: START_DEADLINE,
        channel: {
          kind: 'frames',
          max: REPLY_MAX,
          onUp: (parts) => {
            onUp?.(parts);
            deadlineOfCall = child.killAfter(deadline + GRACE, () => {
              isLate = true;
            });
            child.write(request);
          },
          // One answer, and nothing behind it.
          onFrame: (body) => {
            if (!isOver) end(this.#answerIn(replyKey, body));
          },
        },
        onEnd: () => {
          if (!isOver) end({ reply: { failure: isLate ? 'late' : 'fell' }, secrets: new Map() });
        },
      });
      const kill = () => child.kill();
      this.#kill.add(kill);
      child.ref();
    });
  }

  #answerIn(replyKey: Buffer, body: Buffer): UpstreamAnswer {
    const [document, ...named] = openReply(replyKey, body);
    const secrets = new Map<SecretName, Secret>();
    for (let at = 0; at + 1 < named.length; at += 2) {
      const bytes = named[at + 1]!;
      secrets.set(named[at]!.toString('latin1') as SecretName, this.#parts.keep(bytes));
      bytes.fill(0);
    }
    return { reply: JSON.parse(document!.toString('utf8')) as Reply, ...siftSecrets(secrets) };
  }
}

/** The request in memory of its own, for the caller to wipe. */
function requestOf(operation: string, replyKey: Buffer, plan: object, secrets: [string, Secret][]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(operation), replyKey, Buffer.from(JSON.stringify(plan))];
  const lend = (at: number): Buffer => {
    const named = secrets[at];
    if (!named) return frame(parts);
    return withBytes(named[1], (bytes) => {
      parts.push(Buffer.from(named[0]), bytes);
      return lend(at + 1);
    });
  };
  return lend(0);
}

/** Our addon protects its memory. Everything it reads is in its bundle; authorities and proxies come with the plan. */
export const upstreamNeeds: Needs = { addons: true };
