import { describe, expect, it } from 'vitest';
import { render } from '../../../../src/wizard/files/render.js';

describe('render', () => {
  it('replaces names with texts, which are not rendered themselves', () => {
    expect(render('a {{x}} {{y}}', { x: '{{y}}', y: '$1' })).toBe('a {{y}} $1');
  });

  it('keeps sections whose condition is true', () => {
    const template = 'a\n{{if on}}\nb {{x}}\n{{end}}\n{{if off}}\nc\n{{end}}\nd';
    expect(render(template, { on: true, off: false, x: '1' })).toBe('a\nb 1\nd');
  });

  it.each(['{{missing}}', '{{if missing}}\n{{end}}', '{{toString}}'])('throws on %s', (template) => {
    expect(() => render(template, {})).toThrow('no value');
  });

  it('throws on nested sections', () => {
    expect(() => render('{{if a}}\n{{if a}}\n{{end}}\n{{end}}', { a: true })).toThrow('nest');
  });
});
