import type { Held, Secrets } from '../../../daemon/backends/backend.ts';
import type { AuditEntry } from '../../../daemon/history/audit/entry.ts';
import { Services } from '../../../daemon/services/index.ts';
import type { ServicesParts } from '../../../daemon/services/parts.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { CredentialReply, Handler } from '../../../protocol/handler.ts';
import type { Made } from '../../../protocol/made.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { fromWire } from '../../../protocol/text.ts';
import { answers } from '../../fakes/answers.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { Core, ours } from '../../fakes/core.ts';
import { builtIn, ScriptedService } from '../../fakes/services/scripted.ts';

/** A durable store behind which the agent may die: `around` is asked before and after every write. */
export class FragileBackend extends FakeBackend {
  around: (when: 'before' | 'after', call: string) => Promise<void> = async () => {};

  override async put(held: Held, secrets: Secrets) {
    await this.#within('put', () => super.put(held, secrets));
  }
  override async annotate(held: Held) {
    await this.#within('annotate', () => super.annotate(held));
  }
  override async remove(held: Held) {
    await this.#within('remove', () => super.remove(held));
  }

  async #within(call: string, write: () => Promise<void>): Promise<void> {
    await this.around('before', call);
    await write();
    await this.around('after', call);
  }
}

export type Said = Readonly<Record<string, string>> & { readonly status: string };

/** An agent that asks a scripted service, over a store that outlives it. */
export class RotationRig {
  readonly backend: FragileBackend;
  readonly service: ScriptedService;
  readonly core: Core;
  readonly services: Services;
  /** What was recorded without anybody asking. */
  readonly audited: AuditEntry[] = [];
  readonly #name: string;

  constructor(
    name = 'apkg',
    before?: RotationRig,
    manifests = builtIn,
    route: ServicesParts['route'] = () => ({ deadline: 1_000 }),
    mayRecheck = true,
  ) {
    this.#name = name;
    this.backend = before?.backend ?? new FragileBackend();
    this.backend.around = async () => {};
    const core = new Core({ backend: this.backend, services: manifests });
    this.core = core;
    const manifest = manifests.find(({ id }) => id === name)!;
    this.service = before?.service ?? new ScriptedService(manifest, () => core.clock.now());
    this.service.around = async () => undefined;
    this.services = new Services({
      credentials: core.credentials,
      tombstones: core.tombstones,
      agent: core.agent,
      upstream: this.service,
      route,
      services: () => manifests,
      clock: core.clock,
      keep: heapSecret,
      emit: ({ kind, ...fields }) => core.log.push(`${kind} ${JSON.stringify(fields)}`),
      audit: { record: async (...entries) => void this.audited.push(...entries) },
      mayRecheck,
    });
  }

  /** Answers a request as the agent does. */
  readonly handler: Handler = (request) =>
    answers({ credentials: this.core.credentials, services: this.services })(request);

  /** The agent has died, and another has started over the same store. */
  reborn(): RotationRig {
    return new RotationRig(this.#name, this);
  }

  /** A held token that the service knows. */
  async hold(
    label: string,
    more: { kind?: string; life?: number; host?: string; isListed?: boolean; made?: Made } = {},
  ): Promise<string> {
    const { kind = 'ci', life, host = 'api.apkg.ai', isListed = true, made } = more;
    const { id, value } = this.service.add(label);
    const { clock, credentials } = this.core;
    const about = { service: this.#name, kind, label, ...(isListed && { tokenId: id }), createdAt: clock.now() };
    await this.core.store({
      host,
      username: label,
      password: value,
      about,
      made,
      ...(life !== undefined && { expiresAt: clock.now() + life }),
    });
    return [...credentials.entries.all()].find((held) => held.about?.label === label)!.id;
  }

  /** What a tool gets for a label now. */
  get(label: string, host = 'api.apkg.ai'): Promise<string> {
    return this.core.get({ host, username: label });
  }

  /** One request; attributes as `key=value`. The answer's first status and details by name. */
  async ask(action: string, fields: Readonly<Record<string, string>>): Promise<Said> {
    const attributes = new Attributes();
    for (const [key, value] of Object.entries(fields)) {
      attributes.add(key, key === 'password' ? secretFromText(value) : value);
    }
    const target = { protocol: fields['protocol'] ?? 'https', host: fields['host'] ?? 'api.apkg.ai' };
    const request = { action, target, capabilities: ours, attributes };
    const reply: CredentialReply = await this.handler(request).catch((error) => ({
      status: error.status,
      message: error.message,
    }));
    const details = Object.fromEntries((reply.details ?? []).map(([key, value]) => [key, fromWire(value)]));
    return { status: reply.status, ...(reply.message !== undefined && { message: reply.message }), ...details };
  }

  rotate(id: string, fields: Readonly<Record<string, string>> = {}): Promise<Said> {
    return this.ask('rotate', { id, ...fields });
  }

  /** What of a rotation rests beside the credentials. */
  leftovers(): string[] {
    return this.core.credentials.own.all().flatMap(({ host }) => (host.startsWith('rotation') ? [host] : []));
  }
}
