/**
 * Loaded by the SDK by its path, also into the workflow sandbox (hence CommonJS): messages and stack traces of failures can
 * quote a prompt or an input, so they go into a payload, which the codec encrypts.
 */
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
