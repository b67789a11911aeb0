/**
 * Loaded by the SDK by its path, also into the workflow sandbox (hence CommonJS): messages and stack traces of failures can
 * quote a prompt or an input, so they go into a payload, which the codec encrypts.
 *
 * The codec's own failures stay plain. They come from a worker without the right key, which nobody else could read then; and
 * they name keys, nothing more.
 */
const { DefaultFailureConverter } = require('@temporalio/common');

const plain = new DefaultFailureConverter();
const sealed = new DefaultFailureConverter({ encodeCommonAttributes: true });
const CODEC = /CodecKey(Missing|Wrong): /;

function isCodecs(error) {
  for (let each = error; each; each = each.cause) if (CODEC.test(String(each.message))) return true;
  return false;
}

exports.failureConverter = {
  errorToFailure: (error, payloads) => (isCodecs(error) ? plain : sealed).errorToFailure(error, payloads),
  failureToError: (failure, payloads) => sealed.failureToError(failure, payloads),
};
