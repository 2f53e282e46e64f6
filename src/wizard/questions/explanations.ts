/** Why a question is asked, and an example of an answer. Shown for `?`, below the description of the question. */
interface Explanation {
  why: string;
  example?: string;
}

/** By key of the question. */
export const explanations: Readonly<Record<string, Explanation>> = {
  'worker.executor': { why: 'A site without a cluster can still run analyses, one host at a time.' },
  'worker.localJobs': { why: 'Each analysis uses the memory and CPUs of this host.', example: '2' },
  base: {
    why: 'Jobs run on other hosts than the worker: both must see the same files under the same path.',
    example: '/shared/pathology/dsa',
  },
  'dirs.tmp': {
    why: 'Slides are downloaded here before a job reads them: plan for the slides of all runs in flight.',
    example: '/shared/pathology/dsa/tmp',
  },
  'dirs.logs': {
    why: 'The worker follows the logs of jobs here and copies them to Girder.',
    example: '/shared/pathology/dsa/logs',
  },
  'dirs.images': {
    why: 'Compute nodes start containers from these files; they cannot pull images themselves.',
    example: '/shared/pathology/dsa/images',
  },
  'dirs.submitScript': {
    why: 'sbatch runs it for each job. Sites edit it, for example to load a module.',
    example: '/shared/pathology/dsa/singularity.slurm',
  },
  'slurm.mountPrefix': {
    why: 'Slides that the nodes can read directly need not be downloaded.',
    example: '/mnt/dsa',
  },
  'slurm.partition': { why: 'It decides on which nodes analyses run, and for how long they may.' },
  'slurm.account': {
    why: 'Some clusters refuse jobs without an account. sacctmgr show user $USER withassoc lists yours.',
    example: 'pathology',
  },
  'slurm.qos': {
    why: 'It can raise or lower priority and limits. Most sites need none.',
    example: 'normal',
  },
  'slurm.time': {
    why: 'Slurm ends a job that runs longer; a shorter limit lets jobs start earlier.',
    example: '04:00:00 (four hours), 30 (minutes)',
  },
  'slurm.mem': {
    why: 'Slurm ends a job that uses more; jobs that ask for less start earlier.',
    example: '16G',
  },
  'slurm.cpus': { why: 'Analyses that use several threads are faster with more CPUs.', example: '4' },
  'slurm.gpuPartition': { why: 'Images that need a GPU can run on other nodes than the rest.' },
  'slurm.gpuGres': { why: 'It is what sbatch is asked for with --gres.', example: 'gpu:1, gpu:a100:1' },
  'apptainer.command': {
    why: 'It starts each container. A path is needed where it is not on the PATH of jobs.',
    example: '/opt/apptainer/bin/apptainer',
  },
  'deployment.flavour': {
    why: 'Only for a new archive on this host. One that runs already needs no files from init.',
  },
  'deployment.directory': { why: 'start.sh in it starts the archive.', example: '/opt/dsa' },
  'deployment.assetstore': {
    why: 'All slides are stored here: choose a large file system.',
    example: '/shared/pathology/assetstore',
  },
  'deployment.girderPort': { why: 'Browsers connect to it.', example: '8080' },
  'deployment.user': {
    why: 'Containers must not run as root, and slides should belong to one user.',
    example: '1000:1000',
  },
  'deployment.adminPassword': {
    why: 'The first login needs it. Enter generates one, which is stored in .env.',
  },
  'broker.host': {
    why: 'Girder publishes analyses to RabbitMQ, and the worker takes them from there.',
    example: 'rabbit.example.org, rabbit.example.org:5671/dsa',
  },
  'broker.port': { why: 'RabbitMQ can listen on another port than usual.', example: '5672; 5671 with TLS' },
  'broker.vhost': { why: 'Girder and the worker must use the same one.', example: '/' },
  'broker.tls': { why: 'Passwords and tokens of Girder cross the network to RabbitMQ.' },
  'broker.caFile': {
    why: 'Without it, the certificate cannot be verified.',
    example: '/etc/pki/site-ca.pem',
  },
  'broker.user': { why: 'It is the user in the broker address of Girder’s worker settings.', example: 'dsa' },
  'broker.password': { why: 'It is in the broker address of Girder’s worker settings.' },
  'girder.apiUrl': {
    why: 'The worker downloads slides from it and uploads results. Compute nodes do not need it.',
    example: 'https://dsa.example.org/api/v1; without a path, /api/v1 is added',
  },
  'girder.caFile': {
    why: 'Without it, the certificate cannot be verified.',
    example: '/etc/pki/site-ca.pem',
  },
  'girder.major': { why: 'Girder 3 and 5 have different settings for workers.' },
  'girder.apiKey': {
    why: 'With it, init and the doctor check and correct Girder’s worker settings. Create it in Girder under My account, API keys.',
  },
  'girder.directPaths': { why: 'Slides on a file system that the nodes mount need not be downloaded.' },
  'mongo.uri': {
    why: 'The doctor can then see jobs that Girder lost. The worker does not use it.',
    example: 'mongodb://localhost:27017/girder',
  },
  service: {
    why: 'systemd starts the worker again after a crash and after a reboot. A user service needs no administrator, but lingering; a system service runs without a login.',
  },
};
