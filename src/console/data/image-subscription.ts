import { errorLine } from '../../base/errors.js';
import type { WorkerHandle } from '../../worker/views/handle.js';
import type { ImageDetail, ImageRow } from '../../worker/views/live-views.js';
import { detailOf } from './images.js';
import { layoutScreen } from '../state/layout.js';
import { pageItem, type ConsoleState } from '../state/state.js';
import type { Store } from '../state/store.js';
import { selectedItem } from '../table/table-state.js';
import type { Item } from '../table/table.js';

/**
 * Asks images for what they say of themselves: the one that is looked at first, then those in sight. One at a time and
 * each once, since each costs the container runtime a start. Returns the way to stop.
 */
export function followImages(handle: WorkerHandle, store: Store): () => void {
  let busy = false;
  let over = false;
  const look = (): void => {
    if (busy || over) return;
    const image = nextImage(store.get());
    if (image === null) return;
    busy = true;
    void (async () => {
      const detail = await ask(handle, image.file);
      busy = false;
      if (!over) store.dispatch({ type: 'imageDetailCame', image, detail });
    })();
  };
  const unsubscribe = store.subscribe(look);
  look();
  return () => {
    over = true;
    unsubscribe();
  };
}

async function ask(handle: WorkerHandle, file: string): Promise<ImageDetail> {
  try {
    return await handle.imageDetail(file);
  } catch (error) {
    return { ok: false, said: errorLine(error) };
  }
}

function rowOf(item: Item | null): ImageRow | null {
  return (item as { image?: ImageRow } | null)?.image ?? null;
}

function nextImage(state: ConsoleState): ImageRow | null {
  const { place, tables, imageDetails } = state;
  const isUnknown = (row: ImageRow): boolean => detailOf(imageDetails, row) === null;
  if (place.view === 'item' && place.table === 'images') {
    const row = rowOf(pageItem(state));
    return row !== null && isUnknown(row) ? row : null;
  }
  if (place.view !== 'images') return null;
  const { shown, position } = tables.images;
  const inSight = shown.slice(position.top, position.top + layoutScreen(state).table);
  for (const item of [selectedItem(tables.images), ...inSight]) {
    const row = rowOf(item);
    if (row !== null && isUnknown(row)) return row;
  }
  return null;
}
