/**
 * The environment of a child process that runs models or judges what they wrote: that of its parent without what opens the
 * server, the codec, the bucket or an inference server. Neither an engine nor a verifier needs one of them, and both handle text that nobody vouches
 * for. Pure.
 *
 *   spawn(program, args, { env: withoutSecrets(process.env) });
 */

/** Names and beginnings of names. What only says where something is (an address, a region) may stay. */
const SECRET = [
  ...['TEMPORAL_', 'STARTRAIL_CODEC_', 'STARTRAIL_NOTIFY', 'STARTRAIL_ENGINES'],
  ...['OTEL_EXPORTER_OTLP_', 'STARTRAIL_TRACES'],
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
  ...['AWS_CONTAINER_', 'HF_TOKEN'],
];

/** Variables with keys of engines, as the declaration of the engines names them. */
const keyVariables = (declared = ''): string[] =>
  Array.from(declared.matchAll(/"apiKeyVariable"\s*:\s*"(\w+)"/g), ([, name]) => name as string);

export const withoutSecrets = (environment: Record<string, string | undefined>): Record<string, string | undefined> => {
  const keys = keyVariables(environment.STARTRAIL_ENGINES);
  const isSecret = (name: string) => keys.includes(name) || SECRET.some((start) => name.startsWith(start));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSecret(name)));
};
