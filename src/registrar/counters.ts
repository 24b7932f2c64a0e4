/** What a registrar has counted since its start. */
export class RegistrarCounters {
  /** REGISTERs, whatever became of them. */
  requests = 0;
  /** Bindings that were new. */
  registered = 0;
  refreshed = 0;
  /** Bindings that a REGISTER ended. */
  unregistered = 0;
  /** REGISTERs without a Contact: somebody asks. */
  fetched = 0;
  /** REGISTERs that were refused for what stands in them, authentication aside. */
  refused = 0;
  /** Bindings that went with their flow (RFC 5626 s6). */
  flowsLost = 0;
  /** REGISTERs refused since the store takes no changes. */
  storeRefused = 0;
  /** Keep-alives sent. */
  keepAlives = 0;
  /** Bindings marked since their client answered no OPTIONS. */
  silent = 0;
}
