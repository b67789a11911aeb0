/** A request that is not answered as asked: a status, a stable code, and a sentence for whoever asked. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

export const notFound = (what: string): Refused => new Refused(404, 'NotFound', what);
