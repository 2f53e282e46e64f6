import { judge, proposalFor, withLearned, answerTo, type Judged } from './answer.js';
import type { Asker, Reply } from './prompter.js';
import type { Detection } from '../detect/detect.js';
import type { Doors } from '../detect/site-probes.js';
import { newPassword } from './unattended-answers.js';
import type { Given } from './preset-answers.js';
import { messageOf, type Question, type Section } from '../questions/index.js';
import { indented, mark } from './output.js';
import type { Draft } from '../init-answers.js';
import { hasAnswers, nextQuestion, stepBack, takeStep, type Walk } from './question-flow.js';

export interface AskOptions {
  walk: Walk;
  given: Given;
  detected: Detection;
  doors: Doors;
  asker: Asker;
  /** Told after each answer, so that nothing is lost. */
  onWalk: (walk: Walk) => Promise<void>;
  /** Told when a user of RabbitMQ was made up, whom RabbitMQ does not know yet. */
  onNewUser: () => void;
  /** Nothing may be changed: directories are not made. */
  dryRun: boolean;
}

/** What the whole questioning shares. */
interface Session extends AskOptions {
  /** Doubts that were put already. */
  doubts: Set<string>;
  pinned: ReadonlySet<string>;
}

/** Asks a person everything that is still open. What is given from outside is not asked, if it can be used. */
export async function ask(options: AskOptions): Promise<Walk> {
  const session: Session = {
    ...options,
    doubts: new Set(options.walk.accepted),
    pinned: new Set(options.given.keys()),
  };
  const { asker, detected } = options;
  let { walk } = options;
  const keep = async (next: Walk): Promise<void> => {
    walk = { ...next, accepted: [...session.doubts] };
    await session.onWalk(walk);
  };
  let section: Section | null = null;
  for (;;) {
    const question = nextQuestion(walk, detected);
    if (question === null) return walk;
    const given = session.given.get(question.key);
    const isAsked = question.asked?.(walk.draft, detected, walk.known) ?? true;
    if (question.section !== section && (isAsked || given !== undefined)) {
      section = question.section;
      asker.say(`\n${mark.heading(section)}`);
    }
    const silent =
      given?.text ?? (isAsked ? undefined : proposalFor(question, walk.draft, walk.known, detected));
    if (silent !== undefined) {
      const judged = await settleSilently(session, walk, question, silent, given?.origin);
      if (judged !== null) {
        await keep(takeStep(walk, question, withLearned(judged, session.pinned), false));
        continue;
      }
    }
    const answered = await askOne(session, walk, question, given?.text);
    if (answered === 'back') section = null;
    await keep(answered === 'back' ? (stepBack(walk) ?? walk) : takeStep(walk, question, answered, true));
  }
}

/** An answer that nobody is asked for; null if a person has to be asked after all. */
async function settleSilently(
  session: Session,
  walk: Walk,
  question: Question,
  text: string,
  origin: string | undefined,
): Promise<Judged | null> {
  const { asker } = session;
  const message = messageOf(question, walk.draft);
  const judged = await look(session, walk.draft, question, text);
  if (judged.verdict.kind === 'problem') {
    asker.say(`${mark.bad} ${message}: ${shown(question, text)}`);
    asker.say(indented(`${judged.verdict.problem} ${judged.verdict.fix}`));
    return null;
  }
  if (origin !== undefined) asker.say(`${mark.good} ${message} ${shown(question, text)} (${origin})`);
  else if (judged.verdict.kind === 'ok') return judged;
  const settled = await settle(session, walk.draft, question, text, judged);
  return settled === null || settled === 'again' ? null : settled;
}

/** One question, until there is an answer that can be used. */
async function askOne(
  session: Session,
  walk: Walk,
  question: Question,
  given: string | undefined,
): Promise<Draft | 'back'> {
  const { asker, detected } = session;
  const proposal = given ?? proposalFor(question, walk.draft, walk.known, detected);
  for (;;) {
    const { reply, judged } = await request(session, walk, question, proposal);
    if (reply.kind === 'back') {
      if (hasAnswers(walk)) return 'back';
      asker.say(indented('This is the first question.'));
      continue;
    }
    if (judged.verdict.kind === 'problem') {
      asker.say(`${mark.bad} ${judged.verdict.problem}`);
      asker.say(indented(judged.verdict.fix));
      continue;
    }
    const settled = await settle(session, walk.draft, question, reply.text, judged);
    if (settled !== null && settled !== 'again') return withLearned(settled, session.pinned);
  }
}

/** Puts the question once. */
async function request(
  session: Session,
  walk: Walk,
  question: Question,
  proposal: string | undefined,
): Promise<{ reply: Reply; judged: Judged }> {
  const { asker, detected } = session;
  const { draft } = walk;
  if (question.kind === 'choice') {
    const choices = question.choices?.(draft, detected) ?? [];
    // a partition that was set by hand, say
    const all =
      proposal === undefined || choices.some(({ value }) => value === proposal)
        ? choices
        : [{ value: proposal, name: proposal }, ...choices];
    const reply = await asker.choose({
      message: messageOf(question, draft),
      choices: all,
      proposal,
      back: hasAnswers(walk),
    });
    return { reply, judged: await look(session, draft, question, reply.kind === 'text' ? reply.text : '-') };
  }
  const isHidden = question.kind === 'secret';
  const makesUp = isHidden && proposal === undefined && question.generate?.(draft) === true;
  const made = makesUp ? newPassword() : undefined;
  let judged: Judged | null = null;
  const typed = (text: string): string => (text === '' ? (proposal ?? made ?? '') : text);
  const reply = await asker.text({
    message: messageOf(question, draft),
    proposal: isHidden ? undefined : proposal,
    hidden: isHidden,
    onEnter: isHidden ? onEnter(question, walk, proposal, makesUp) : undefined,
    async check(text) {
      judged = await look(session, draft, question, typed(text));
      const { verdict } = judged;
      return verdict.kind === 'problem'
        ? `${indented(verdict.problem).trimStart()}\n${indented(verdict.fix)}`
        : null;
    },
  });
  const text = reply.kind === 'text' ? typed(reply.text) : '';
  return {
    reply: reply.kind === 'text' ? { kind: 'text', text } : reply,
    judged: judged ?? (await look(session, draft, question, text)),
  };
}

/** What Enter does where the proposal cannot be shown. */
function onEnter(
  question: Question,
  { known }: Walk,
  proposal: string | undefined,
  makesUp: boolean,
): string | undefined {
  if (makesUp) return 'makes one up';
  if (proposal === undefined) return undefined;
  if (proposal === '-') return 'for none';
  return answerTo(question, known) === undefined ? 'takes what is usual' : 'keeps it';
}

/** Doubts and consents; null or `again`: another answer is wanted. */
async function settle(
  session: Session,
  draft: Draft,
  question: Question,
  text: string,
  judged: Judged,
): Promise<Judged | null | 'again'> {
  const { asker, doubts, dryRun } = session;
  const { verdict } = judged;
  switch (verdict.kind) {
    case 'ok':
      if (verdict.note !== undefined) asker.say(indented(mark.dim(verdict.note)));
      return judged;
    case 'problem':
      asker.say(`${mark.bad} ${verdict.problem}`);
      asker.say(indented(verdict.fix));
      return 'again';
    case 'doubt': {
      asker.say(`${mark.careful} ${indented(verdict.doubt).trimStart()}`);
      asker.say(indented(verdict.fix));
      if (verdict.offer === 'new-credentials') return newCredentials(session, judged, verdict.id);
      if (!(await asker.yesNo('Use it all the same?', false))) return 'again';
      doubts.add(verdict.id);
      // what else there is to say about it was hidden behind the doubt
      return settleRest(session, draft, question, text);
    }
    case 'consent': {
      if (dryRun) {
        asker.say(indented(mark.dim(`${verdict.ask.replace(/ Make it\?$/, '')} It would be made.`)));
        return judged;
      }
      if (!verdict.implied && !(await asker.yesNo(verdict.ask, true))) return 'again';
      await verdict.act();
      if (verdict.implied) asker.say(indented(mark.dim(verdict.done)));
      return settleRest(session, draft, question, text);
    }
  }
}

async function settleRest(
  session: Session,
  draft: Draft,
  question: Question,
  text: string,
): Promise<Judged | null | 'again'> {
  return settle(session, draft, question, text, await look(session, draft, question, text));
}

async function newCredentials(session: Session, judged: Judged, doubtId: string): Promise<Judged | 'again'> {
  const { asker, doubts } = session;
  const reply = await asker.choose({
    message: 'What shall it be?',
    choices: [
      { value: 'new', name: 'a new user "dsa" with a new password' },
      { value: 'again', name: 'another answer' },
      { value: 'keep', name: 'leave it as it is' },
    ],
    proposal: 'new',
    back: false,
  });
  if (reply.kind === 'back' || reply.text === 'again') return 'again';
  doubts.add(doubtId);
  if (reply.text === 'keep') return judged;
  session.onNewUser();
  const broker = { ...judged.draft.broker, user: 'dsa', password: newPassword() };
  asker.say(indented('How to give them to RabbitMQ is said at the end.'));
  return { ...judged, draft: { ...judged.draft, broker } };
}

async function look(session: Session, draft: Draft, question: Question, text: string): Promise<Judged> {
  const { detected, doors, doubts, pinned } = session;
  return judge(question, text, { draft, detected, doors, accepted: doubts }, pinned);
}

function shown(question: Question, text: string): string {
  return question.kind === 'secret' ? '***' : text;
}
