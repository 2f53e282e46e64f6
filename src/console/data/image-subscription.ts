import { errorLine } from '../../base/errors.js';
import type { WorkerHandle } from '../../worker/views/handle.js';
import type { ImageDetail, ImageRow } from '../../worker/views/live-views.js';
import type { Store } from '../state/action.js';
import { layoutScreen } from '../state/layout.js';
import { knownDetail, type ConsoleState } from '../state/state.js';
import type { ImageItem } from '../state/table-rows.js';
import { selectedItem } from '../table/table-state.js';

/**
 * Loads the metadata of image files: the selected one first, then the visible ones. One at a time and each only once,
 * because each request starts the container runtime.
 * @returns a function that stops it
 */
export function subscribeImageDetails(handle: WorkerHandle, store: Store): () => void {
  let isBusy = false;
  let isStopped = false;
  const loadNext = (): void => {
    if (isBusy || isStopped) return;
    const image = nextImage(store.get());
    if (image === null) return;
    isBusy = true;
    void (async () => {
      const detail = await load(handle, image.file);
      isBusy = false;
      if (!isStopped) store.dispatch({ type: 'imageDetailReceived', image, detail });
    })();
  };
  const unsubscribe = store.subscribe(loadNext);
  loadNext();
  return () => {
    isStopped = true;
    unsubscribe();
  };
}

async function load(handle: WorkerHandle, file: string): Promise<ImageDetail> {
  try {
    return await handle.imageDetail(file);
  } catch (error) {
    return { ok: false, message: errorLine(error) };
  }
}

function nextImage(state: ConsoleState): ImageRow | null {
  const { place, imageDetails } = state;
  const { images } = state.tables;
  const isUnknown = ({ image }: ImageItem): boolean => knownDetail(imageDetails, image) === null;
  if (place.view === 'item' && place.table === 'images') {
    return images.rows.filter(({ id }) => id === place.id).find(isUnknown)?.image ?? null;
  }
  if (place.view !== 'images') return null;
  const { top } = images.position;
  const selected = selectedItem(images);
  const visible = images.shown.slice(top, top + layoutScreen(state).table);
  return (selected === null ? visible : [selected, ...visible]).find(isUnknown)?.image ?? null;
}
