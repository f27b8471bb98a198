import { type Browser, chromium } from 'playwright-core';

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium';
/** Milliseconds that a page may take on a machine at work. */
const DEADLINE = 20_000;

/** A real browser without a window, which sees nothing but this machine. */
export function openBrowser(): Promise<Browser> {
  // Its sandbox takes no root; a name that it looks up would leave the machine.
  const args = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
  return chromium.launch({ executablePath: CHROMIUM, args, timeout: DEADLINE });
}

/** What a person does on the provider's page: signs in and says yes. Answers what the last page says. */
export async function signInWith(browser: Browser, url: string, isLastPage: RegExp): Promise<string> {
  const page = await browser.newPage();
  page.setDefaultTimeout(DEADLINE);
  try {
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    await page.fill('input[name=login]', 'ada');
    await page.fill('input[name=password]', 'any-EXAMPLE');
    await page.click('button[type=submit]');
    await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' });
    await page.click('button[type=submit]');
    const last = page.getByText(isLastPage).first();
    await last.waitFor();
    return await last.innerText();
  } finally {
    await page.close();
  }
}
