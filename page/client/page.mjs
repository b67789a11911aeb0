/** Everything a page does by itself: changes as they come, what may be done, keys, search while typing. */
import { listen } from './live.mjs';
import { watchActions } from './actions.mjs';
import { watchKeys } from './keys.mjs';
import { watchSearch } from './search.mjs';

listen(document.body.dataset.topic ?? '');
watchActions();
watchKeys();
watchSearch();
