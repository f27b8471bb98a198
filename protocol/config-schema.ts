import { type Setting, type SettingName, settings } from './config.ts';

type Property = {
  readonly description: string;
  readonly type: 'string' | 'integer';
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
};

/** A schema of one level of `config.json`. Names that it does not have are a newer version's, and allowed. */
type Properties = { [name: string]: Property | { readonly type: 'object'; readonly properties: Properties } };

/**
 * The properties of `config.json` as JSON Schema (draft 2020-12), made of the table of settings. What binds two settings together
 * (`lease.idle` is no longer than `lease.max`) no schema says: `readConfig` checks that.
 */
export function configProperties(): Properties {
  const all: Properties = {};
  for (const [name, setting] of Object.entries(settings) as [SettingName, Setting][]) {
    const [first, ...rest] = name.split('.') as [string, ...string[]];
    if (rest.length === 0) all[first] = propertyOf(setting);
    else {
      const inner = (all[first] as { readonly properties: Properties } | undefined)?.properties ?? {};
      all[first] = { type: 'object', properties: { ...inner, [rest.join('.')]: propertyOf(setting) } };
    }
  }
  return all;
}

function propertyOf(setting: Setting): Property {
  const description = setting.summary;
  if (setting.kind === 'choice') return { description, type: 'string', enum: setting.choices };
  if (setting.kind === 'text') return { description, type: 'string', pattern: setting.pattern.source };
  return { description: `${description}, in seconds`, type: 'integer', minimum: setting.least, maximum: setting.most };
}
