import { aws } from './aws.ts';
import { cargo } from './cargo.ts';
import { docker } from './docker.ts';
import { gh } from './gh.ts';
import { git } from './git.ts';
import { kubectl } from './kubectl.ts';
import { netrc } from './netrc.ts';
import { npm } from './npm.ts';
import { pypi } from './pypi.ts';
import type { Source } from './source.ts';
import { terraform } from './terraform.ts';

/** Every tool whose plaintext tokens are known. A new one is its file here and its line. */
export const sources: readonly Source[] = [git, netrc, docker, npm, cargo, pypi, gh, kubectl, aws, terraform];
