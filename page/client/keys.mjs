/** Single keys for who prefers them; they rest while somebody types, and can be turned off. */
const KEY = 'startrail-keys';
const isOn = () => localStorage.getItem(KEY) !== 'off';

function move(by) {
  const items = [...document.querySelectorAll('[data-item]')];
  if (items.length === 0) return;
  const now = items.findIndex((item) => item.contains(document.activeElement));
  const next = items[Math.max(0, Math.min(items.length - 1, now < 0 ? 0 : now + by))];
  (next.querySelector('a') ?? next).focus();
  next.scrollIntoView({ block: 'nearest' });
}

const DOES = {
  '/': () => document.querySelector('input[type=search]')?.focus(),
  j: () => move(1),
  k: () => move(-1),
  n: () => document.querySelector('a[rel=next]')?.click(),
  p: () => document.querySelector('a[rel=prev]')?.click(),
  r: () => location.assign('/'),
  c: () => location.assign('/compare'),
  '?': () => document.getElementById('help').showModal(),
};

export function watchKeys() {
  const box = document.getElementById('keys-on');
  box.checked = isOn();
  box.addEventListener('change', () => localStorage.setItem(KEY, box.checked ? 'on' : 'off'));
  document.getElementById('help-open').addEventListener('click', DOES['?']);
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest?.('input, select, textarea, dialog');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !isOn()) return;
    if (!Object.hasOwn(DOES, event.key)) return;
    event.preventDefault();
    DOES[event.key]();
  });
}
