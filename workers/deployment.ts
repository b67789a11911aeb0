/**
 * Worker versions on a cluster (`STARTRAIL_DEPLOYMENT=<name>`): Temporal keeps each run on the workflow code it was started
 * with, for as long as a worker with that code is there; docs/howto/upgrade.md.
 *
 * A version's build id is the name of its workflow code, which is what a run's document calls `bundle` and what `--bundle`
 * takes. Only the workers of the control queue have versions: whether the others fit a run, its fingerprint and the digest of
 * its task say.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeConnection, WorkerDeploymentOptions } from '@temporalio/worker';
import { grpcCode } from '../connection/failure.ts';

export interface Version {
  deploymentName: string;
  buildId: string;
}

export const deploymentOptions = (version: Version): WorkerDeploymentOptions => ({
  useWorkerVersioning: true,
  version,
  defaultVersioningBehavior: 'PINNED',
});

export const CURRENT_COMMAND = ({ deploymentName, buildId }: Version): string =>
  `temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId} --yes`;

const SEEN_WITHIN_MS = 30_000;
/** gRPC: the deployment is not known yet, or was changed by another worker at the same moment. */
const PASSING = [5, 9, 10];

/**
 * The version that new runs get. The first worker of a deployment makes itself that, because until somebody does, no run gets
 * anywhere; every later one leaves it as it is, so that moving is something a person does. Asked when the worker polls.
 */
export async function currentVersion(
  { workflowService }: Pick<NativeConnection, 'workflowService'>,
  namespace: string,
  version: Version,
): Promise<string> {
  const { deploymentName, buildId } = version;
  for (const until = performance.now() + SEEN_WITHIN_MS; ; await sleep(300)) {
    try {
      const { workerDeploymentInfo, conflictToken } = await workflowService.describeWorkerDeployment({
        namespace,
        deploymentName,
      });
      const current = workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId;
      if (current) return current;
      await workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId, conflictToken });
      return buildId;
    } catch (error) {
      if (performance.now() > until || !PASSING.includes(grpcCode(error) ?? -1)) throw error;
    }
  }
}
