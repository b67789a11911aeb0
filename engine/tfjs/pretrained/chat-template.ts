/**
 * A model's chat template: Jinja that makes a prompt of messages, rendered as transformers' apply_chat_template does.
 *
 *   const template = openChatTemplate(spec);
 *   template.render([{ role: 'user', content: '2+2=' }], true)    // '<|im_start|>user\n2+2=<|im_end|>\n<|im_start|>assistant\n'
 *
 * Deterministic: the same messages ⇒ the same text. A template that asks for the time (`strftime_now`) is told that it is midnight of
 * 26 July 2024, the date that Llama 3's template falls back on. Tools and documents are null, as where transformers is given none.
 * Limits: Jinja as @huggingface/jinja knows it; what it does not know is refused by name.
 */
import * as jinja from '@huggingface/jinja';
import type { TokenizerSpec } from '../../../schemas/checkpoint.ts';
import { EngineError } from '../../engine.ts';

/** What is used of the package, whose own types name files without their endings: TypeScript does not find them. */
const { Environment, Interpreter, Template } = jinja as unknown as {
  Template: new (text: string) => { parsed: object };
  Environment: new () => { set(name: string, value: unknown): void };
  Interpreter: new (environment: object) => { run(program: object): { value: unknown } };
};

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface ChatTemplate {
  /**
   * @param asks ends where the assistant's turn begins.
   * @throws EngineError CheckpointInvalid: the template fails on these messages, or refuses them.
   */
  render(messages: readonly Message[], asks: boolean): string;
}

/** What Python's strftime says of Friday, 26 July 2024, 00:00. */
const DATE: Record<string, string> = {
  ...{
    Y: '2024',
    y: '24',
    m: '07',
    d: '26',
    j: '208',
    B: 'July',
    b: 'Jul',
    h: 'Jul',
    A: 'Friday',
    a: 'Fri',
    w: '5',
    u: '5',
  },
  ...{
    H: '00',
    I: '12',
    M: '00',
    S: '00',
    p: 'AM',
    f: '000000',
    '-m': '7',
    '-d': '26',
    '-H': '0',
    '-I': '12',
    '-M': '0',
  },
  ...{ F: '2024-07-26', T: '00:00:00', D: '07/26/24', '%': '%' },
};

function dateIn(format: string): string {
  return format.replace(/%(-?.)/g, (whole, directive: string) => {
    const said = DATE[directive];
    if (said === undefined) throw new Error(`strftime_now with ${whole} is not known`);
    return said;
  });
}

/** As Python's, whole numbers alone. */
function range(...given: number[]): number[] {
  const [start, stop, step] = given.length === 1 ? [0, given[0]!, 1] : [given[0]!, given[1]!, given[2] ?? 1];
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step);
}

/** What `Template.render` would give, but for the clock, which it does not let anybody replace. */
const GLOBALS: Record<string, unknown> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  range,
  strftime_now: dateIn,
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
};

/** @throws EngineError ChatTemplateMissing; CheckpointInvalid where it is no Jinja. */
export function openChatTemplate(spec: TokenizerSpec): ChatTemplate {
  if (spec.kind === 'pieces' || spec.chatTemplate === undefined)
    throw new EngineError(
      'ChatTemplateMissing',
      "the model has no chat template, which the prompt forms chat and chat-shots need; put its chat_template.jinja into the model's folder, or ask with the form shots or plain",
    );
  const { chatTemplate, chatTokens } = spec;
  const refuse = (fault: string, error: unknown) =>
    new EngineError(
      'CheckpointInvalid',
      `the model's chat template ${fault} (${(error as Error).message}); correct its chat_template.jinja, or ask with the form shots or plain`,
    );
  let template: { parsed: object };
  try {
    template = new Template(chatTemplate);
  } catch (error) {
    throw refuse('is not read', error);
  }
  const given = { ...GLOBALS, tools: null, documents: null, ...chatTokens };
  return {
    render(messages, asks) {
      try {
        const environment = new Environment();
        for (const [name, value] of Object.entries({ ...given, messages, add_generation_prompt: asks }))
          environment.set(name, value);
        return String(new Interpreter(environment).run(template.parsed).value);
      } catch (error) {
        throw refuse(`fails on a ${messages.map(({ role }) => role).join(', ')} conversation`, error);
      }
    },
  };
}
