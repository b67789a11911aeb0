/** Chat templates of our own, in the manner of those that models have, and conversations; what Python makes of them: test/parity/chat. */
import type { Message } from '../../engine/tfjs/pretrained/chat-template.ts';

export const TOKENS = { bos_token: '<s>', eos_token: '</s>' };

export const TEMPLATES = {
  /** A loop with its own variables; block and line trimming. */
  turns: `{{ bos_token }}
{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
[system]
You are terse.
    {%- endif %}
[{{ message['role'] }} {{ loop.index }}/{{ loop.length }}]
{{ message['content'] | trim }}{% if not loop.last %}
{% else %}{{ eos_token }}{% endif %}
    {# no trace of this #}
{%- endfor %}
{%- if add_generation_prompt %}
[assistant]
{% endif %}`,

  /** Refuses turns that do not alternate; the system message goes into the first question. */
  strict: `{% if messages[0]['role'] == 'system' %}
    {% set rest = messages[1:] %}
    {% set system = messages[0]['content'].strip() ~ '\\n\\n' %}
{% else %}
    {% set rest = messages %}
    {% set system = '' %}
{% endif %}
{% for message in rest %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Roles must alternate user/assistant/user/assistant') }}
    {% endif %}
    {% if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + (system if loop.index0 == 0 else '') + message['content'] + ' [/INST]' -}}
    {% elif message['role'] == 'assistant' %}
        {{- ' ' + message['content'] | trim + eos_token -}}
    {% endif %}
{% endfor %}`,

  /** The date, tools that are not there, JSON. */
  dated: `{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "no date" %}
    {%- endif %}
{%- endif %}
{%- if tools is not none %}{{ raise_exception('tools') }}{% endif %}
{%- if tools %}{{ raise_exception('tools again') }}{% endif %}
{%- if documents is defined and documents %}{{ raise_exception('documents') }}{% endif %}
{{- "Today: " + date_string + ", a " + strftime_now("%A (day %j), %H:%M") + "\\n" }}
{%- for message in messages %}
    {{- '<|' + message.role | upper + '|>' + (message | tojson) + '<|end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|ASSISTANT|>' }}{% endif %}`,

  /** A namespace, a macro, a reversed list, splits: thoughts of earlier turns are left out. */
  thoughts: `{%- macro turn(role, text) -%}
<|im_start|>{{ role }}
{{ text }}<|im_end|>
{%- endmacro -%}
{%- set ns = namespace(last=messages|length - 1, seen=false) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if not ns.seen and message.role == "user" and not (message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.seen = true %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == 'assistant' and '</think>' in content and loop.index0 < ns.last %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- turn(message.role, content) }}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}`,
};

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const system = (content: string): Message => ({ role: 'system', content });

export const CONVERSATIONS: Record<string, Message[]> = {
  question: [user('2+2=')],
  'with spaces': [user('  Q: "ä" {{ x }} <b>\n\nA: ')],
  system: [system(' Be kind. '), user('Who are you?')],
  turns: [user('1'), assistant('<think>\none\n</think>\n\nuno'), user('2'), assistant(' dos '), user('3')],
  answered: [system('Count.'), user('1'), assistant('two')],
  'twice in a row': [user('a'), user('b')],
};
