import type { Backend } from '../backends/backend.ts';
import type { Backends } from '../backends/index.ts';
import type { BackendCall, Meter } from './meter.ts';

/** The same backends; how long each call of one takes is told to the meter. */
export function timed(backends: Backends, meter: Meter): Backends {
  return {
    ...backends,
    openChosen: async () => timedBackend(await backends.openChosen(), meter),
    open: async (name) => timedBackend(await backends.open(name), meter),
  };
}

/** The backend itself, with its calls measured: one around it would hide what only one of its kind can do. */
function timedBackend(backend: Backend, meter: Meter): Backend {
  const measure = <A extends unknown[], R>(name: BackendCall, call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      const began = performance.now();
      let isOk = false;
      try {
        const result = await call.apply(backend, args);
        isOk = true;
        return result;
      } finally {
        meter.called(name, isOk, performance.now() - began);
      }
    };
  };
  return Object.assign(backend, {
    list: measure('list', backend.list),
    get: measure('get', backend.get),
    put: measure('put', backend.put),
    remove: measure('remove', backend.remove),
    move: measure('remove', backend.move),
    unlock: measure('unlock', backend.unlock),
  });
}
