import { expect, test } from 'vitest';

import { message } from '../../../../src/worker/socket/protocol.js';

test('a refusal of 0.1.0, which called its reason otherwise, is understood', () => {
  expect(message.parse({ say: 'refused', id: null, said: 'Version 0.1.0.' })).toEqual({
    say: 'refused',
    id: null,
    reason: 'Version 0.1.0.',
  });
  expect(message.parse({ say: 'bye', reason: 'It stops.' })).toEqual({ say: 'bye', reason: 'It stops.' });
});
