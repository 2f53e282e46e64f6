import { resolve } from 'node:path';
import { checkValue, parseValue } from '../../config/index.js';
import { siteDefaults } from '../../config/catalog.js';
import { writeAnswer, type AnswerValue } from '../flow/partial-answers.js';
import type { Draft } from '../init-answers.js';
import { readBroker } from '../files/addresses.js';
import type { ComposeService } from '../../doctor/site-files/compose.js';

/** Answers from one file, and notes for the operator. */
export interface ImportedAnswers {
  answers: Draft;
  notes: string[];
}

/** Answers from the Python worker's variables in run.sh. */
export function answersOfEnvironment(
  values: ReadonlyMap<string, string>,
  directory: string,
): ImportedAnswers {
  const notes: string[] = [];
  const path = (...names: string[]) => {
    const value = names.map((name) => values.get(name)).find((found) => found !== undefined && found !== '');
    return value === undefined ? undefined : resolve(directory, value);
  };
  const text = (name: string) => values.get(name) || undefined;

  let submitScript = path('GIRDER_WORKER_SLURM_SUBMIT_SCRIPT');
  if (submitScript !== undefined && /\/girder_worker(_slurm)?\//.test(submitScript)) {
    notes.push(
      `The submit script ${submitScript} belongs to the Python worker and is kept; init writes another one.`,
    );
    submitScript = undefined;
  }
  const brokerText = text('GIRDER_WORKER_BROKER') ?? text('CELERY_BROKER_URL');
  const broker = brokerText === undefined ? undefined : readFirstBroker(brokerText);
  if (broker === null) notes.push('The broker in the environment is not a valid RabbitMQ address.');
  notes.push(...backendNotes(backendIn(values)));
  if (text('GIRDER_WORKER_DOCKER_RUN_OPTIONS') !== undefined) {
    notes.push(
      'GIRDER_WORKER_DOCKER_RUN_OPTIONS is ignored. For options of Apptainer, set apptainer.options.',
    );
  }
  const apiUrl = text('GIRDER_WORKER_API_URL');
  const caFile = path('REQUESTS_CA_BUNDLE');
  return {
    answers: defined({
      dirs: defined({
        // in Python's order of precedence
        tmp: path('TMPDIR', 'TEMP', 'TMP'),
        logs: path('LOGS', 'GIRDER_WORKER_SINGULARITY_LOGS_DIR'),
        images: path('SIF_IMAGE_PATH'),
        submitScript,
      }),
      slurm: defined({
        mountPrefix: path('GIRDER_WORKER_SLURM_MOUNT_PREFIX'),
        partition: text('GIRDER_WORKER_SLURM_PARTITION'),
      }),
      broker: broker ?? undefined,
      girder: defined({
        apiUrl: apiUrl !== undefined && URL.canParse(apiUrl) ? apiUrl.replace(/\/+$/, '') : undefined,
        caFile,
        // Python treats any text as true
        directPaths: text('GW_DIRECT_PATHS') === undefined ? undefined : true,
      }),
    }),
    notes,
  };
}

/** `[celery] broker` and `backend` of worker.local.cfg or worker.dist.cfg. */
export function answersOfIni(values: ReadonlyMap<string, string>): ImportedAnswers {
  const broker = values.get('celery.broker');
  const read = broker === undefined ? null : readFirstBroker(broker);
  return {
    answers: defined({ broker: read ?? undefined }),
    notes: [
      ...(broker !== undefined && read === null ? ['Its broker is not a valid RabbitMQ address.'] : []),
      ...backendNotes(values.get('celery.backend')),
    ],
  };
}

/** Long names of sbatch's short options, as far as they are settings here. */
const longNames: Readonly<Record<string, string>> = {
  p: 'partition',
  A: 'account',
  q: 'qos',
  t: 'time',
  c: 'cpus-per-task',
  C: 'constraint',
};

/** Options and values in `#SBATCH` lines of a submit script. As for sbatch, the last line of an option counts. */
export function readSbatchLines(text: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const line of text.split('\n').slice(0, 500)) {
    const [, long, short, value] =
      /^#SBATCH\s+(?:--([a-z-]+)(?:[=\s]\s*|$)|-([A-Za-z])\s*)([^\s"'\\#$`]{0,200})/.exec(line) ?? [];
    const name = long ?? (short === undefined ? undefined : (longNames[short] ?? short));
    if (name !== undefined && value !== undefined) options.set(name, value);
  }
  return options;
}

/** Answers from `#SBATCH` lines. */
export function answersOfSubmitScript(options: ReadonlyMap<string, string>): ImportedAnswers {
  let answers: Draft = {};
  for (const { setting, option } of siteDefaults) {
    const text = options.get(option) || undefined;
    const checked = text === undefined ? null : checkValue(setting, parseValue(setting, text));
    if (checked?.ok === true) answers = writeAnswer(answers, setting.key, checked.value as AnswerValue);
  }
  return { answers, notes: [] };
}

/** Answers from the services of a compose file, as seen from their host. */
export function answersOfCompose(
  services: ReadonlyMap<string, ComposeService>,
  directory: string,
): ImportedAnswers {
  const find = (name: string, image: RegExp) =>
    services.get(name) ?? [...services.values()].find((service) => image.test(service.image ?? ''));
  const girder = find('girder', /dsa_common/);
  const rabbitmq = find('rabbitmq', /rabbitmq/);
  const mongodb = find('mongodb', /mongo/);
  const notes: string[] = [];

  const inside = girder?.environment;
  const brokerText = inside?.get('GIRDER_WORKER_BROKER') ?? inside?.get('CELERY_BROKER_URL');
  const seen = brokerText === undefined ? null : readFirstBroker(brokerText);
  const brokerPort = rabbitmq?.ports.get(5672);
  if (rabbitmq !== undefined && brokerPort === undefined) {
    notes.push(
      'The port of its RabbitMQ is not published, so a worker outside the containers cannot reach it.',
    );
  }
  const broker =
    rabbitmq === undefined
      ? (seen ?? undefined)
      : defined({
          host: brokerPort === undefined ? undefined : 'localhost',
          port: brokerPort,
          user: rabbitmq.environment.get('RABBITMQ_DEFAULT_USER') ?? seen?.user,
          password: rabbitmq.environment.get('RABBITMQ_DEFAULT_PASS') ?? seen?.password,
          vhost: rabbitmq.environment.get('RABBITMQ_DEFAULT_VHOST') ?? seen?.vhost,
        });
  notes.push(...backendNotes(backendIn(inside)));
  const girderPort = girder?.ports.get(8080);
  const user = inside?.get('DSA_USER');
  return {
    answers: defined({
      dirs: defined({
        images: girder?.volumes.get('/SIF'),
        logs: girder?.volumes.get(inside?.get('LOGS') ?? ''),
      }),
      broker,
      girder: defined({
        apiUrl: girderPort === undefined ? undefined : `http://localhost:${girderPort}/api/v1`,
        major: girder === undefined ? undefined : majorOf(girder),
      }),
      mongo: defined({ uri: mongodb === undefined ? undefined : mongoUri(mongodb) }),
      deployment:
        girder === undefined
          ? undefined
          : defined({
              flavour: hasForks(girder) ? ('forked' as const) : ('stock' as const),
              directory,
              girderPort,
              assetstore: assetstoreOf(girder),
              user: user !== undefined && /^\d+:\d+$/.test(user) ? user : undefined,
              adminPassword: inside?.get('DSA_ADMIN_PASSWORD'),
            }),
    }),
    notes,
  };
}

/** Celery takes several brokers (`a;b`) and starts with the first. */
function readFirstBroker(urls: string): ReturnType<typeof readBroker> {
  return readBroker(urls.split(';', 1)[0] ?? '');
}

function backendIn(environment: ReadonlyMap<string, string> | undefined): string | undefined {
  return environment?.get('GIRDER_WORKER_BACKEND') || environment?.get('CELERY_RESULT_BACKEND');
}

/** Notes about an unsupported result backend. */
function backendNotes(backend: string | undefined): string[] {
  if (backend === undefined || backend === '' || /^rpc(:|$)/.test(backend)) return [];
  return ['Its result backend is ignored: results are sent through RabbitMQ (rpc://).'];
}

function majorOf({ image, dockerfile, environment }: ComposeService): 3 | 5 {
  const five =
    /dsa_common_5/.test(image ?? '') ||
    /dsa5/.test(dockerfile ?? '') ||
    environment.has('GIRDER_NOTIFICATION_REDIS_URL');
  return five ? 5 : 3;
}

function hasForks({ dockerfile, volumes }: ComposeService): boolean {
  return volumes.has('/SIF') || /apptainer/i.test(dockerfile ?? '');
}

/** The volume at `/assetstore`, or at a path that contains that name. */
function assetstoreOf({ volumes }: ComposeService): string | undefined {
  return volumes.get('/assetstore') ?? [...volumes].find(([inside]) => /assetstore/i.test(inside))?.[1];
}

function mongoUri({ environment, ports }: ComposeService): string | undefined {
  const port = ports.get(27_017);
  if (port === undefined) return undefined;
  const user = environment.get('MONGO_INITDB_ROOT_USERNAME');
  const password = environment.get('MONGO_INITDB_ROOT_PASSWORD');
  if (user === undefined || password === undefined) return `mongodb://localhost:${port}/girder`;
  return `mongodb://${encodeURIComponent(user)}:${encodeURIComponent(password)}@localhost:${port}/girder?authSource=admin`;
}

/** Removes undefined and empty values. */
function defined<T extends object>(table: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(table).filter(
      ([, value]) =>
        value !== undefined &&
        !(typeof value === 'object' && value !== null && Object.keys(value).length === 0),
    ),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
