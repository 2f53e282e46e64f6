import { basename } from 'node:path';
import type { Finding } from '../check.js';
import { squashfuseFix } from '../checks/apptainer/privileges.js';
import { siteProblem } from '../image-look.js';
import { combine, fail, ok, quoted, warn } from '../check-result.js';
import type { ProbeAnswer } from './probe-job.js';

type Answered = Extract<ProbeAnswer, { kind: 'answered' }>;

/** A shared file system that takes longer to show files, in milliseconds, gets a warning. */
const slowMs = 3_000;

/**
 * Judges the answer of a probe.
 * @param images the image directory, which nodes only read
 */
export function judgeProbe(answer: ProbeAnswer, images: string | null, profile = 'default'): Finding {
  const { partition } = answer;
  switch (answer.kind) {
    case 'refused':
      return fail(
        `Partition ${partition}: the probe job could not be submitted: ${answer.message}`,
        `sbatch --test-only -p ${quoted(partition)} --wrap=true`,
      );
    case 'silent':
      return fail(
        [
          `Partition ${partition}: ${answer.message}`,
          'The directory is not shared with the node, or not writable there.',
        ],
        `srun -p ${quoted(partition)} df -h   # shows what the node has mounted`,
      );
    case 'canceled':
      return warn(
        `Partition ${partition}: the probe job did not run. ${answer.message}`,
        'dsa-slurm doctor --deep --only directories.probe   # try again later',
      );
    case 'answered':
      break;
  }
  const { host, uid, ownUid, apptainer, namespaces, directories, girder, container, ms } = answer;
  const findings: Finding[] = [
    ok(
      `Partition ${partition}: ${host} answered after ${Math.round(ms / 100) / 10} s as uid ${uid ?? 'unknown'}; ${apptainer}`,
    ),
  ];
  if (uid !== ownUid) {
    findings.push(
      fail(
        `This user has uid ${uid ?? 'unknown'} on ${host}, but ${ownUid ?? 'unknown'} here.`,
        'getent passwd "$USER"   # must be the same on login and compute nodes',
      ),
    );
  }
  if (!/^(apptainer|singularity)\S* version /m.test(apptainer)) {
    findings.push(
      fail(
        `${host} has no container runtime: ${apptainer === '' ? 'no answer' : apptainer}`,
        'Install Apptainer on the compute nodes, or load its module in the submit script (module load apptainer).',
      ),
    );
  } else if (container !== null) {
    findings.push(judgeContainer(host, container, profile));
  } else if (!namespaces && uid !== 0) {
    findings.push(
      warn(
        `User namespaces are disabled on ${host}; containers start there only with a setuid Apptainer.`,
        'sysctl -w user.max_user_namespaces=15000   # as root on the nodes, or install apptainer-suid there',
      ),
    );
  }
  if (girder !== null) findings.push(judgeGirder(girder, answer));
  for (const directory of directories) {
    const { path, shared, writable, answerMs } = directory;
    if (!shared) {
      findings.push(
        fail(
          `${host} does not see the same ${path} as this host.`,
          `srun -p ${quoted(partition)} ls -ld ${quoted(path)}   # mount it there at the same path`,
        ),
      );
    } else if (path === images) {
      findings.push(ok(`${path}: read on ${host} in ${directory.ms ?? '?'} ms`));
    } else if (!writable) {
      findings.push(
        fail(
          `${host} cannot write to ${path}.`,
          `srun -p ${quoted(partition)} touch ${quoted(`${path}/x`)}   # is it mounted read-only or with root_squash?`,
        ),
      );
    } else if (answerMs === null) {
      findings.push(
        fail(
          `Files that ${host} writes to ${path} do not appear here.`,
          `srun -p ${quoted(partition)} df ${quoted(path)}   # is another file system mounted at this path?`,
        ),
      );
    } else {
      const timing = `${path}: read and written on ${host} in ${directory.ms ?? '?'} ms, visible here after ${answerMs} ms`;
      findings.push(
        answerMs > slowMs
          ? warn(timing, 'mount | grep nfs   # a shorter actimeo shows files sooner')
          : ok(timing),
      );
    }
  }
  return combine(findings);
}

/** Judges the node by the container that the probe started. */
function judgeContainer(
  host: string,
  { image, message, unpacked }: NonNullable<Answered['container']>,
  profile: string,
): Finding {
  const name = basename(image);
  const started = message === 'started' || /FATAL: +"sh": executable file not found/.test(message);
  if (started && unpacked) {
    return warn(
      `A container of ${name} started on ${host}, but the whole image was unpacked first, as it will be for every job: squashfuse is missing.`,
      `${squashfuseFix}   # on the nodes`,
    );
  }
  if (started) return ok(`a container of ${name} started on ${host}`);
  const problem = siteProblem(message, profile);
  if (problem !== null) return { ...problem, evidence: problem.evidence.map((line) => `${host}: ${line}`) };
  return fail(
    `A container of ${name} does not start on ${host}: ${message}`,
    `dsa-slurm doctor --deep --only images   # shows whether it starts on this host`,
  );
}

/** Nodes need access to Girder only for analyses that call Girder themselves. */
function judgeGirder(
  { url, result }: { url: string; result: string },
  { host, partition }: { host: string; partition: string },
): Finding {
  if (result === 'open') return ok(`${host} reaches the port of ${url}`);
  if (result === '200') return ok(`${host} reaches Girder: ${url}`);
  // curl prints 000 next to its message
  const why = /^[1-9]\d\d$/.test(result) ? `HTTP status ${result}` : result.replaceAll(/^000 ?| ?000$/g, '');
  return warn(
    `${host} does not reach Girder at ${url}: ${why}. Analyses that call Girder themselves will fail there.`,
    `srun -p ${quoted(partition)} curl -sS ${quoted(url)}   # girder.apiUrl must be reachable from nodes, not localhost`,
  );
}
