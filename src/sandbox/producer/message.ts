import { randomUUID } from 'node:crypto';
import { Tuple, Verbatim, pickle, pyDatetime, pyObjectId, PyObject, type Picklable } from './pickle.js';

/** The task names and forms with which the variants of slicer_cli_web, and custom plugins, run a container. */
export type Spelling = 'docker' | 'singularity' | 'singularityInTree' | 'dockerRun';

const taskNames: Readonly<Record<Spelling, string>> = {
  docker: 'slicer_cli_web.girder_worker_plugin.direct_docker_run.run',
  singularity: 'slicer_cli_web_singularity.girder_worker_plugin.direct_singularity_run.run',
  singularityInTree:
    'slicer_cli_web.singularity.slicer_cli_web_singularity.girder_worker_plugin.direct_singularity_run.run',
  dockerRun: 'girder_worker.docker.tasks.docker_run',
};

/** One container argument, before it is turned into a transform. */
export type Argument =
  | string
  | number
  | boolean
  | null
  /** Downloaded; with `directPath`, mounted where the worker can read that path. */
  | { file: string; name: string | null; directPath?: string }
  | { folder: string; name: string | null }
  | { item: string }
  /** A path in the task's volume, uploaded to a folder or an item afterwards if one is named. */
  | { output: string; toFolder?: string; toItem?: string; mustExist?: boolean; identifier?: string }
  /** Uploaded as an artifact of the Girder job, to the Girder at `keptAt`. */
  | { artifact: string; onException: boolean; keptAt: string }
  | { apiUrl: true }
  | { token: true }
  | { temporaryDirectory: true }
  | Stream;

/** A stream into or out of a container: a named pipe, or the container's own output. */
export type Stream =
  | { pipe: string; fromFile: string }
  | ({ pipe: string } & StreamEnd)
  | ({ container: 'StdOut' | 'StdErr' } & StreamEnd)
  | { progressPipe: string };

export type StreamEnd =
  | { postTo: string; headers?: Record<string, string> }
  | { toHost: 'StdOut' | 'StdErr' };

export interface AnalysisRequest {
  spelling: Spelling;
  image: string;
  args: readonly Argument[];
  /** `stream_connectors`. */
  streams?: readonly Stream[];
  title: string;
  /** Celery's id; default: a new one. */
  taskId?: string;
  /** More keyword arguments: `environment`, `runtime`, … */
  options?: Readonly<Record<string, Picklable>>;
}

/** Girder's address and credentials, as in the message. */
export interface MessageSite {
  apiUrl: string;
  userId: string;
  /** Called for each transform: Girder makes a token for every one of them. */
  userToken: () => string;
  clientToken: string;
}

/** The Girder job that the message belongs to. */
export interface MessageJob {
  id: string;
  jobInfoSpec: {
    method: string;
    url: string;
    reference: string;
    headers: Record<string, string>;
    logPrint: boolean;
  };
}

/** The parts of a message that the Celery producer does not create. */
export interface ProducedMessage {
  id: string;
  task: string;
  /** Already pickled. */
  args: unknown[];
  kwargs: Record<string, unknown>;
  /** Display only. */
  kwargsrepr: string;
  /** Girder's headers. */
  headers: Record<string, unknown>;
  /** More options for Celery's `send_task`: `eta`, `expires`, … The built-in publisher ignores them. */
  options?: Record<string, unknown>;
}

/** Builds the message that Girder would publish for this request. */
export function analysisMessage(
  request: AnalysisRequest,
  site: MessageSite,
  job: MessageJob,
): ProducedMessage {
  const id = request.taskId ?? randomUUID();
  const client = () => girderClient(site);
  const volumes = defaultVolumes();
  const args = request.args.map((argument) => argumentGraph(argument, client, volumes));
  const isDockerRun = request.spelling === 'dockerRun';
  const kwargs: Record<string, Picklable> = {
    ...(isDockerRun ? {} : { image: request.image }),
    pull_image: isDockerRun ? false : 'if-not-present',
    container_args: args,
    ...(request.streams === undefined
      ? {}
      : { stream_connectors: request.streams.map((stream) => streamGraph(stream, client, volumes)) }),
    ...request.options,
  };
  const shown = request.args.map((argument) =>
    typeof argument === 'string' ? argument : `<transform ${Object.keys(argument ?? {}).join()}>`,
  );
  const jobDocument = jobGraph(request, id, shown, site, job);
  const hooks = request.args.flatMap((argument) =>
    hookGraphs(argument, request, site, jobDocument).map(pickle),
  );
  const body = pickle(new Tuple([new Tuple(isDockerRun ? [request.image] : []), kwargs])) as {
    'py/tuple': [{ 'py/tuple': unknown[] }, Record<string, unknown>];
  };
  return {
    id,
    task: taskNames[request.spelling],
    args: body['py/tuple'][0]['py/tuple'],
    kwargs: body['py/tuple'][1],
    kwargsrepr: `{'image': '${request.image}', 'container_args': ...}`,
    headers: {
      girder_result_hooks: hooks,
      jobInfoSpec: job.jobInfoSpec,
      girder_api_url: site.apiUrl,
      girder_client_token: site.clientToken,
    },
  };
}

const transforms = 'girder_worker.docker.transforms';
const direct = 'slicer_cli_web.girder_worker_plugin.direct_docker_run';

/** A Python default argument is one shared object per class. */
function defaultVolumes(): (className: string) => PyObject {
  const volumes = new Map<string, PyObject>();
  return (className) => {
    const volume = volumes.get(className) ?? defaultVolume();
    volumes.set(className, volume);
    return volume;
  };
}

function defaultVolume(): PyObject {
  return new PyObject(`${transforms}._DefaultTemporaryVolume`, {
    _host_path: null,
    _container_path: null,
    mode: 'rw',
    _transformed: false,
    host_dir: null,
    _mode: 0o777,
    _instance: null,
  });
}

function girderClient({ apiUrl, userToken }: MessageSite): PyObject {
  return new PyObject('girder_client.GirderClient', {
    host: null,
    scheme: null,
    port: null,
    urlBase: `${apiUrl}/`,
    token: userToken(),
    _folderUploadCallbacks: [],
    _itemUploadCallbacks: [],
    _serverVersion: [],
    _serverApiDescription: {},
    incomingMetadata: {},
    localMetadata: {},
    cache: null,
    progressReporterCls: new Verbatim({ 'py/type': 'girder_client._NoopProgressReporter' }),
    _session: null,
  });
}

function argumentGraph(
  argument: Argument,
  client: () => PyObject,
  volume: (className: string) => PyObject,
): Picklable {
  if (argument === null || typeof argument !== 'object') return argument;
  if ('apiUrl' in argument) return new PyObject(`${direct}.GirderApiUrl`, { gc: client() });
  if ('token' in argument) return new PyObject(`${direct}.GirderToken`, { gc: client() });
  if ('output' in argument) return volumePath(argument.output, volume('VolumePath'));
  if ('artifact' in argument) return volumePath(argument.artifact, volume('VolumePath'));
  if ('temporaryDirectory' in argument) {
    return new PyObject('girder_worker_utils.transforms.common.TemporaryDirectory', {});
  }
  if ('pipe' in argument || 'container' in argument || 'progressPipe' in argument) {
    return streamGraph(argument, client, volume);
  }
  if ('folder' in argument) {
    return new PyObject(`${transforms}.girder.GirderFolderIdToVolume`, {
      gc: client(),
      _folder_id: argument.folder,
      _volume: volume('GirderFolderIdToVolume'),
      _folder_name: argument.name,
      _folder_path: null,
    });
  }
  if ('item' in argument) {
    return new PyObject(`${transforms}.girder.GirderItemIdToVolume`, {
      gc: client(),
      _item_id: argument.item,
      _volume: volume('GirderItemIdToVolume'),
      _item_path: null,
    });
  }
  const attributes = {
    gc: client(),
    _file_id: argument.file,
    _volume: volume('GirderFileIdToVolume'),
    _filename: argument.name,
    _file_path: null,
  };
  if (argument.directPath === undefined) {
    return new PyObject(`${transforms}.girder.GirderFileIdToVolume`, attributes);
  }
  return new PyObject(`${direct}.DirectGirderFileIdToVolume`, {
    ...attributes,
    _direct_file_path: argument.directPath,
    _direct_container_path: null,
  });
}

function streamGraph(
  stream: Stream,
  client: () => PyObject,
  volume: (className: string) => PyObject,
): PyObject {
  if ('progressPipe' in stream) {
    return new PyObject(`${transforms}.girder.ProgressPipe`, {
      name: stream.progressPipe,
      _volume: volume('ProgressPipe'),
    });
  }
  const pipe = (className: string, name: string): PyObject =>
    new PyObject(`${transforms}.${className}`, {
      _container_path: null,
      _host_path: null,
      _volume: volume(className),
      name,
    });
  const connect = (input: PyObject, output: PyObject): PyObject =>
    new PyObject(`${transforms}.Connect`, { _input: input, _output: output });
  if ('fromFile' in stream) {
    const source = new PyObject(`${transforms}.girder.GirderFileIdToStream`, {
      gc: client(),
      file_id: stream.fromFile,
    });
    return connect(source, pipe('NamedInputPipe', stream.pipe));
  }
  const sink =
    'postTo' in stream
      ? new PyObject(`${transforms}.ChunkedTransferEncodingStream`, {
          url: stream.postTo,
          headers: stream.headers ?? {},
        })
      : new PyObject(`${transforms}.Host${stream.toHost}`, {});
  const source =
    'pipe' in stream
      ? pipe('NamedOutputPipe', stream.pipe)
      : new PyObject(`${transforms}.Container${stream.container}`, {});
  return connect(source, sink);
}

function volumePath(filename: string, volume: PyObject): PyObject {
  return new PyObject(`${transforms}.VolumePath`, { filename, _volume: volume });
}

/** Each hook is pickled separately: it shares no object with the arguments. */
function hookGraphs(
  argument: Argument,
  request: AnalysisRequest,
  site: MessageSite,
  job: Picklable,
): PyObject[] {
  const client = () => girderClient(site);
  if (argument !== null && typeof argument === 'object' && 'artifact' in argument) {
    return [
      new PyObject(`${transforms}.girder.GirderUploadVolumePathJobArtifact`, {
        gc: girderClient({ ...site, apiUrl: argument.keptAt }),
        job_id: null,
        name: null,
        _upload_on_exception: argument.onException,
        _volumepath: volumePath(argument.artifact, defaultVolume()),
        job,
      }),
    ];
  }
  if (argument === null || typeof argument !== 'object' || !('output' in argument)) return [];
  const reference = JSON.stringify({
    slicer_cli_web: { title: request.title, image: request.image, name: cliName(request) },
    identifier: argument.identifier ?? 'output',
  });
  const where = {
    upload_kwargs: { reference },
    delete_file: false,
  };
  const path = () => volumePath(argument.output, defaultVolume());
  const hooks: PyObject[] = [];
  if (argument.toFolder !== undefined) {
    hooks.push(
      new PyObject(`${transforms}.girder.GirderUploadVolumePathToFolder`, {
        gc: client(),
        folder_id: argument.toFolder,
        ...where,
        must_exist: argument.mustExist ?? true,
        _volumepath: path(),
        job,
      }),
    );
  }
  if (argument.toItem !== undefined) {
    hooks.push(
      new PyObject(`${transforms}.girder.GirderUploadVolumePathToItem`, {
        gc: client(),
        item_id: argument.toItem,
        ...where,
        _volumepath: path(),
        job,
      }),
    );
  }
  return hooks;
}

/** The complete document of the Girder job, which is part of every hook. */
function jobGraph(
  request: AnalysisRequest,
  taskId: string,
  shown: readonly string[],
  { userId }: MessageSite,
  { id, jobInfoSpec }: MessageJob,
): Picklable {
  const { title, image, spelling } = request;
  const now = pyDatetime(new Date());
  const user = pyObjectId(userId);
  return {
    title,
    type: `${image}#${cliName(request)}`,
    args: new Tuple(spelling === 'dockerRun' ? [image] : []),
    kwargs: { image, pull_image: 'if-not-present', container_args: shown },
    created: now,
    updated: pyDatetime(new Date()),
    when: now,
    interval: 0,
    status: 0,
    progress: null,
    log: [],
    meta: {},
    handler: 'celery_handler',
    asynchronous: false,
    timestamps: [],
    parentId: null,
    celeryTaskId: taskId,
    public: false,
    userId: user,
    access: { groups: [], users: [{ id: user, level: 2, flags: [] }] },
    _id: pyObjectId(id),
    jobInfoSpec,
  };
}

/** The first argument of a Slicer CLI run. */
function cliName({ args }: AnalysisRequest): string {
  const [first] = args;
  return typeof first === 'string' ? first : '';
}
