import type { Detection } from '../detect/detect.js';
import type { SiteProbes } from '../detect/site-probes.js';
import type { Draft } from '../init-answers.js';
import { explanations } from '../questions/explanations.js';
import { messageOf, type Question, type Section } from '../questions/index.js';
import { answerTo, applyDerived, proposalFor, validateAnswer, type ValidatedAnswer } from './answer.js';
import { indented, style } from './output.js';
import type { PresetAnswers } from './preset-answers.js';
import type { Prompter, Reply } from './prompter.js';
import { advance, hasAnswers, nextQuestion, stepBack, type FlowState } from './question-flow.js';
import { generatePassword } from './unattended-answers.js';

interface AskOptions {
  flow: FlowState;
  presets: PresetAnswers;
  detected: Detection;
  probes: SiteProbes;
  prompter: Prompter;
  /** Called after each answer, to save it. */
  onProgress: (flow: FlowState) => Promise<void>;
  /** Called when credentials were generated that RabbitMQ does not know yet. */
  onNewUser: () => void;
  /** Change nothing: do not create directories. */
  dryRun: boolean;
}

/** State that all questions share. */
interface Session extends AskOptions {
  /** Ids of warnings that the operator accepted. */
  accepted: Set<string>;
  pinned: ReadonlySet<string>;
}

/** Asks the operator all open questions. Valid preset answers are not asked for. */
export async function askQuestions(options: AskOptions): Promise<FlowState> {
  const session: Session = {
    ...options,
    accepted: new Set(options.flow.accepted),
    pinned: new Set(options.presets.keys()),
  };
  const { prompter, detected } = options;
  let { flow } = options;
  const keep = async (next: FlowState): Promise<void> => {
    flow = { ...next, accepted: [...session.accepted] };
    await session.onProgress(flow);
  };
  let section: Section | null = null;
  for (;;) {
    const question = nextQuestion(flow, detected);
    if (question === null) return flow;
    const preset = session.presets.get(question.key);
    const isAsked = question.asked?.(flow.draft, detected, flow.known) ?? true;
    if (question.section !== section && (isAsked || preset !== undefined)) {
      section = question.section;
      prompter.print(`\n${style.heading(section)}`);
    }
    const text =
      preset?.text ?? (isAsked ? undefined : proposalFor(question, flow.draft, flow.known, detected));
    if (text !== undefined) {
      const validated = await answerWithoutAsking(session, flow, question, text, preset?.origin);
      if (validated !== null) {
        await keep(advance(flow, question, applyDerived(validated, session.pinned), false));
        continue;
      }
    }
    const answered = await askOne(session, flow, question, preset?.text);
    if (answered === 'back') section = null;
    await keep(answered === 'back' ? (stepBack(flow) ?? flow) : advance(flow, question, answered, true));
  }
}

/** Uses a preset or proposal; null if the operator must be asked after all. */
async function answerWithoutAsking(
  session: Session,
  flow: FlowState,
  question: Question,
  text: string,
  origin: string | undefined,
): Promise<ValidatedAnswer | null> {
  const { prompter } = session;
  const message = messageOf(question, flow.draft);
  const validated = await busily(session, flow.draft, question, text);
  if (validated.result.kind === 'problem') {
    prompter.print(`${style.bad} ${message}: ${masked(question, text)}`);
    prompter.print(indented(`${validated.result.problem} ${validated.result.fix}`));
    return null;
  }
  if (origin !== undefined) prompter.print(`${style.good} ${message} ${masked(question, text)} (${origin})`);
  else if (validated.result.kind === 'ok') return validated;
  return resolveValidation(session, flow.draft, question, text, validated);
}

/** Asks a question until the answer is valid. */
async function askOne(
  session: Session,
  flow: FlowState,
  question: Question,
  preset: string | undefined,
): Promise<Draft | 'back'> {
  const { prompter, detected } = session;
  const proposal = preset ?? proposalFor(question, flow.draft, flow.known, detected);
  for (;;) {
    const { reply, validated } = await prompt(session, flow, question, proposal);
    if (reply.kind === 'back') {
      if (hasAnswers(flow)) return 'back';
      prompter.print(indented('This is the first question.'));
      continue;
    }
    const resolved = await resolveValidation(
      session,
      flow.draft,
      question,
      reply.text,
      validated ?? (await busily(session, flow.draft, question, reply.text)),
    );
    if (resolved === null) prompter.print(notUsed(question, reply.text));
    if (resolved !== null) return applyDerived(resolved, session.pinned);
  }
}

/** Asks a question once. */
async function prompt(
  session: Session,
  flow: FlowState,
  question: Question,
  proposal: string | undefined,
): Promise<{ reply: Reply; validated: ValidatedAnswer | null }> {
  const { prompter, detected } = session;
  const { draft } = flow;
  if (question.kind === 'choice') {
    const choices = question.choices?.(draft, detected) ?? [];
    // such as a partition from an edited profile
    const all =
      proposal === undefined || choices.some(({ value }) => value === proposal)
        ? choices
        : [{ value: proposal, name: proposal }, ...choices];
    const reply = await prompter.choose({
      message: messageOf(question, draft),
      choices: all,
      proposal,
      back: hasAnswers(flow),
      help: explanationText(question),
    });
    if (reply.kind === 'back') return { reply, validated: null };
    return { reply, validated: await busily(session, draft, question, reply.text) };
  }
  const isHidden = question.kind === 'secret';
  const isGenerated = isHidden && proposal === undefined && question.generate?.(draft) === true;
  const generated = isGenerated ? generatePassword() : undefined;
  let validated: ValidatedAnswer | null = null;
  const orDefault = (text: string): string => (text === '' ? (proposal ?? generated ?? '') : text);
  const reply = await prompter.text({
    message: messageOf(question, draft),
    proposal: isHidden ? undefined : proposal,
    hidden: isHidden,
    help: explanationText(question),
    onEnter: isHidden ? onEnter(question, flow, proposal, isGenerated) : undefined,
    async check(text) {
      validated = await validate(session, draft, question, orDefault(text));
      const { result } = validated;
      return result.kind === 'problem'
        ? `${indented(result.problem).trimStart()}\n${indented(result.fix)}`
        : null;
    },
  });
  if (reply.kind === 'back') return { reply, validated: null };
  return { reply: { kind: 'text', text: orDefault(reply.text) }, validated };
}

/** What Enter does at a hidden prompt, which does not show the proposal. */
function onEnter(
  question: Question,
  { known }: FlowState,
  proposal: string | undefined,
  isGenerated: boolean,
): string | undefined {
  if (isGenerated) return 'generates one';
  if (proposal === undefined) return undefined;
  if (proposal === '-') return 'for none';
  return answerTo(question, known) === undefined ? 'uses the default' : 'keeps it';
}

/** Handles warnings and confirmations. Null: the operator wants to give another answer. */
async function resolveValidation(
  session: Session,
  draft: Draft,
  question: Question,
  text: string,
  validated: ValidatedAnswer,
): Promise<ValidatedAnswer | null> {
  const { prompter, accepted, dryRun } = session;
  const { result } = validated;
  // an accepted warning or a confirmed action may have hidden further results
  const revalidate = async (): Promise<ValidatedAnswer | null> =>
    resolveValidation(session, draft, question, text, await busily(session, draft, question, text));
  switch (result.kind) {
    case 'ok':
      if (result.note !== undefined) prompter.print(indented(style.dim(result.note)));
      return validated;
    case 'problem':
      prompter.print(`${style.bad} ${result.problem}`);
      prompter.print(indented(result.fix));
      return null;
    case 'warning': {
      prompter.print(`${style.careful} ${indented(result.warning).trimStart()}`);
      prompter.print(indented(result.fix));
      if (result.offer === 'new-credentials') return newCredentials(session, validated, result.id);
      if (
        (await prompter.confirm('Use it anyway?', false, indented(`${result.warning} ${result.fix}`))) !==
        true
      )
        return null;
      accepted.add(result.id);
      return revalidate();
    }
    case 'confirmation': {
      if (dryRun) {
        prompter.print(indented(style.dim(wouldRun(result.question))));
        return validated;
      }
      if (
        !result.implied &&
        (await prompter.confirm(result.question, true, explanationText(question))) !== true
      )
        return null;
      await result.run();
      if (result.implied) prompter.print(indented(style.dim(result.done)));
      return revalidate();
    }
  }
}

/** `/shared/tmp does not exist. Create it?` in a dry run. */
export function wouldRun(question: string): string {
  return question.replace(/ Create it\?$/, ' It would be created.');
}

async function newCredentials(
  session: Session,
  validated: ValidatedAnswer,
  warningId: string,
): Promise<ValidatedAnswer | null> {
  const { prompter, accepted } = session;
  const reply = await prompter.choose({
    message: 'Which credentials should be used?',
    choices: [
      { value: 'new', name: 'a new user "dsa" with a new password' },
      { value: 'again', name: 'another answer' },
      { value: 'keep', name: 'these' },
    ],
    proposal: 'new',
    back: false,
  });
  if (reply.kind === 'back' || reply.text === 'again') return null;
  accepted.add(warningId);
  if (reply.text === 'keep') return validated;
  session.onNewUser();
  const broker = { ...validated.draft.broker, user: 'dsa', password: generatePassword() };
  prompter.print(indented('How to add this user to RabbitMQ is explained at the end.'));
  return { ...validated, draft: { ...validated.draft, broker } };
}

async function validate(
  session: Session,
  draft: Draft,
  question: Question,
  text: string,
): Promise<ValidatedAnswer> {
  const { detected, probes, accepted, pinned } = session;
  return validateAnswer(question, text, { draft, detected, probes, accepted }, pinned);
}

/** Validates an answer, with a spinner where that takes long. */
async function busily(
  session: Session,
  draft: Draft,
  question: Question,
  text: string,
): Promise<ValidatedAnswer> {
  return session.prompter.busy(`Checking: ${messageOf(question, draft)}`, async () =>
    validate(session, draft, question, text),
  );
}

/** `/shared is not used.` */
function notUsed(question: Question, text: string): string {
  return `${style.bad} Not used: ${masked(question, text)}`;
}

/** The description of a question, its reason, and an example. */
function explanationText({ key, about, optional }: Question): string {
  const { why, example } = explanations[key] ?? { why: '' };
  return [
    indented(about.replaceAll('`', '')),
    ...(why === '' ? [] : [indented(why)]),
    ...(example === undefined ? [] : [indented(`For example: ${example}`)]),
    ...(optional === true ? [indented('- leaves it out.')] : []),
  ].join('\n');
}

function masked(question: Question, text: string): string {
  return question.kind === 'secret' ? '***' : text;
}
