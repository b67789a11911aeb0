/** Filters that apply while one types or chooses, and pages that turn without loading the whole page again. */
import { replacePart } from './live.mjs';

const PAUSE_MS = 150;
let asked = 0;

async function show(address) {
  const mine = ++asked;
  const answer = await fetch(address, { headers: { accept: 'text/html' } });
  const text = await answer.text();
  // What was asked for later counts, whichever answer comes first.
  if (mine !== asked) return;
  const made = new DOMParser().parseFromString(text, 'text/html');
  const rows = made.getElementById('rows');
  if (!rows) return location.assign(address);
  replacePart('rows', rows.innerHTML);
  history.replaceState(null, '', address);
}

const addressOf = (form) => {
  const fields = [...new FormData(form)].filter(([, value]) => value !== '');
  return `${location.pathname}?${new URLSearchParams(fields)}`;
};

export function watchSearch() {
  const form = document.querySelector('form.filter:not([data-plain])');
  if (form) {
    let timer;
    const soon = (ms) => {
      clearTimeout(timer);
      timer = setTimeout(() => void show(addressOf(form)), ms);
    };
    form.addEventListener('input', (event) => soon(event.target.type === 'search' ? PAUSE_MS : 0));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      soon(0);
    });
  }
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('#rows a[rel]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void show(link.href).then(() => document.getElementById('rows').scrollIntoView({ block: 'start' }));
  });
}
