# One Durable Object on this machine, whose database is in the folder of the service disk.
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .w), (name = "disk", disk = (writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ],
);
const w :Workerd.Worker = (
  modules = [ (name = "items.js", esModule = embed "items.js") ],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [ (className = "Items", uniqueKey = "items", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "items", durableObjectNamespace = "Items") ],
);
