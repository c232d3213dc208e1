// Package archtest holds the rules of the repository's structure as tests. A
// rule that stands in the way is discussed and changed here, with its reason,
// never loosened to make a build pass.
package archtest

// lattice lists, for each package of host, what it may import of host: the
// packages named and everything those may import. The order is the direction of
// dependency. A row is
//
//	package -> imported imported # reason; reason
//
// with one reason for each arrow, in their order. An import that no arrow allows is
// an error, and so is an arrow that no import needs: one that is never imported, or
// that another arrow of the row implies.
const lattice = `
fault             ->
telemetry/tally   ->
plugin            -> fault limit                # refuses a bad name with a code; an operator's limits are a part of it
wasmbin/format    -> fault                      # refuses a bad module with a code
wasmbin           -> wasmbin/format             # scans the format
wasmbin/lower     -> wasmbin                    # follows types that the scan knows
wasmbin/rewrite   -> wasmbin/lower              # lowers as it rewrites
wasmbin/hostile   ->
wasmbin/wasmbintest -> wasmbin/format wasmbin/hostile # encodes sections; seeds fuzz targets with hostile modules
limit             ->
setting           -> limit                      # sizes are written as an operator does
spelling          ->
adminapi          ->
durable           ->
restoring         -> fault durable              # a folder that is not empty has a code; its marker is whole
archive           -> fault limit                # a damaged one has a code; bounds its modules
bucket            -> fault                      # what a place refuses has a code
blob              -> bucket durable store/badger/disk  # keeps bytes there; writes the id of its folder; asks how much is free
audit             ->
buildinfo         ->
module            -> plugin durable             # is named by digests; a file lasts
formats           -> fault durable              # a folder of a newer program has a code; the file is whole
manifest          -> plugin spelling            # reads a plugin's names, grants and limits; suggests the key that was meant
router            -> plugin                     # mounts are plugins' paths
secret            -> fault durable              # a file that holds no key has a code; the key is whole
store             -> fault                      # a refused transaction has a code
store/certify     -> store                      # decides about the store's effects
store/badger/inspect ->
store/badger/fair -> store                      # a line for each key space
store/badger/disk -> fault                      # a full disk has a code
store/badger/meter -> telemetry/tally       # counts the sizes of groups
store/badger/layout -> store                    # encodes the store's keys and values
sqlite            -> store                      # its files are pages in a transaction
store/kept        -> store/certify              # knows what was written of late as a log does
store/stream      -> store                      # groups have its revisions
store/badger/follower -> store/badger/database store/badger/folder store/stream # opens Badger like a store; a folder that was looked at; applies its groups
store/badger/database -> store/badger/layout    # the longest value of a table is the layout's
store/badger/epochs -> store                    # tracks its revisions
store/badger/damage -> store/badger/layout      # a malformed record is damage too
store/badger/reading -> store/badger/damage     # notices damage as it reads
store/badger/pages -> store                     # keeps its values
store/badger/folder -> store/badger/layout store/badger/inspect durable # knows an entry when it sees one; reads the files by themselves; the marker is whole
store/badger      -> store/certify store/stream store/badger/folder store/badger/database store/badger/epochs store/badger/reading store/badger/disk store/badger/fair store/badger/meter store/badger/pages # commits what certify decides; passes on what was committed; opens a folder that was looked at; opens it as Badger; knows what is read; reads with it; asks for room; has commits wait in turn; counts groups; keeps pages in memory
store/storetest   -> store/certify              # a replica decides the log of a history again
egress/address    ->
egress            -> plugin trace redact egress/address # origins are grants; calls are part of a trace; looks for secrets in the same forms; judges addresses
egress/egresstest ->
redact            -> fault                      # an error without secrets keeps its code
blob/names        -> store blob                 # keeps names there; of blobs
invoke            -> store trace redact plugin blob # holds the transaction; notes what it does; its log hides secrets; a roll-out knows who sends; a reply may be a blob
runq              ->
service           -> invoke egress manifest     # a call runs within an invocation; is judged as one to a service outside; says what a receiver has queues for
capability        -> invoke manifest            # host functions act on the invocation; a unit reads its table
capability/blind    -> capability/webhook        # knows which secrets sign
capability/config   -> capability               # is a unit
capability/exchange -> capability               # is a unit
capability/kv       -> capability               # is a unit
capability/log      -> capability               # is a unit
capability/system   -> capability               # is a unit
capability/toolchain -> capability              # is a unit
queue             -> store                      # keeps messages there
capability/queue    -> capability queue service # is a unit; sends messages; to plugins that may be called
sqlite/dump       -> sqlite # opens files as it does
sqlite/statements ->
database          -> sqlite sqlite/statements invoke wasmbin # copies and migrates databases; reads migrations; in no request; modules carry migrations
capability/sql      -> capability sqlite runq   # is a unit; runs statements; which leave their place to others
socket            -> store                      # keeps events there
capability/socket   -> capability socket        # is a unit; collects what is said
cron              -> fault                      # a record that is damaged has a code
capability/cron     -> capability cron          # is a unit; reads schedules
capability/upload   -> capability               # is a unit
capability/password -> capability runq          # is a unit; hashes wait in turn, and their guests without a place
capability/wasi     -> capability runq          # output becomes log lines of the invocation; who sleeps needs no processor
capability/service  -> capability service      # is a unit; says whom a deployment may call
capability/outbound -> capability service runq   # is a unit; calls out, and other plugins; who waits for a service needs no processor
capability/blobs    -> capability/outbound blob/names # keeps answers of services; names blobs
blob/keeper         -> blob/names plugin        # sweeps what has no name; of plugins
blob/cargo          -> blob/names store/badger/follower # knows which blobs entries name; reads entries
capability/webhook  -> capability/queue capability/outbound # puts webhooks into a queue; asks where the plugin may call
capabilities      -> capability/blind capability/blobs capability/config capability/cron capability/exchange capability/kv capability/log capability/password capability/service capability/socket capability/sql capability/system capability/toolchain capability/upload capability/wasi # lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it
engine/callstack  -> wasmbin                    # names functions as their module does
engine            -> invoke manifest engine/callstack # an instance runs an invocation; what a module asks for; says where a guest failed
engine/enginetest -> engine capability/outbound # the suite runs against the seam; guests that call out
engine/linear     -> limit fault                # memories share a budget; one that cannot be had has a code
engine/machine    -> engine engine/linear capability/wasi wasmbin/rewrite # builds its programs; gives instances their memory; answers the imports of a language's start; adds interrupts to modules
engine/native     -> engine/machine             # runs on it
engine/extism     -> engine/machine             # runs on it
prepare           -> engine                     # builds with an engine
auth              -> fault durable              # a token that cannot be kept has a code; a new token lasts
registry/part     -> plugin auth                # writes values of the domain; and who may do what
registry/asks     -> manifest                   # reads the manifests of uploads
registry/vars     -> manifest                   # names of vars are those that a manifest can name
registry          -> capability/kv secret audit module registry/part registry/asks registry/vars # grants are terms of capabilities, and operators write keys within the quota of [kv]; seals secrets; events are a chain; keeps the modules that versions name; writes parts of records with it; reads uploads; changes vars
access/issuer     -> fault egress/address       # refusals have codes; reaches no private address unless a rule says so
access            -> registry access/issuer     # keeps there who may do what; who proves it by a token of OIDC
trace             -> fault                      # counts requests by the code that ended them
rollout           -> plugin trace               # takes a version through its plan; counts what became of requests
logs/ring         -> durable                    # the number of a process lasts
logs              -> logs/ring                  # a flood of lines shows where they are kept
requestid         ->
team              -> auth plugin runq store    # teams have patterns; plugins are of them; a weight in the run queue; and a quota of disk
dispatch/lane     ->
dispatch          -> engine rollout logs team telemetry/tally dispatch/lane # makes instances; counts for a roll-out, and measures each attempt; a plugin's lines are bounded over its versions; an instance needs room in its team; requests are counted; and those that conflict take turns
serve             -> dispatch requestid         # runs invocations; gives each its id
policy            -> auth capability/kv capability/outbound # rules are for patterns of plugins; quotas; and origins
consent           -> policy                     # asks the rules of the operator
upload            -> spool durable              # its files share the disk of bodies; what is known of one is whole
spool             -> limit store/badger/disk    # bodies share the disk; asks how much is free
ceiling           -> manifest spool             # what it asks for; what its bodies may have of the disk
deploy/steps      -> fault                      # an error that names a step keeps its code
deploy/reading    -> capability/sql database # says which databases a manifest has; reads migrations
deploy/migrating  -> deploy/steps database registry capability/sql # notes what it does; migrates; finds what a killed server left; which databases a manifest has
deploy/hiding     -> capability/blind           # says what can be a blind secret
dispatch/owners   -> dispatch                   # lists their requests, and ends them
deploy            -> deploy/hiding router dispatch/owners consent ceiling capability/socket deploy/migrating deploy/reading # hides secrets; swaps the table; starts and drains deployments; asks whether a change approves; says what the server cannot keep; asks which topics are kept; migrates before a version serves; asks what a module says
trigger           -> deploy serve               # finds who handles a request; handles it
calls             -> deploy serve adminapi       # finds who is called; handles it; answers as the API does
queue/delivery    -> trigger                    # has messages handled
live              -> trigger store/kept server/stream # has requests made, and handles them; is told what commits change; sends to clients
cache             -> serve store/kept            # keys answers by who handles requests; is told what commits change
webhook           -> trigger                    # says what became of a webhook as of a request
socket/hub        -> trigger server/stream       # has events handled; has the connections
cron/ticking      -> trigger capability/cron    # has requests made; of the schedules of manifests
telemetry/traces  -> serve                      # an observer of requests
operate/services  -> deploy adminapi capability/service # changes grants; answers in the API's types; binds names in the terms of one
operate           -> operate/services           # tells what a plugin that is called may do
operate/queues    -> queue/delivery adminapi    # knows what is being handled; answers in the API's types
operate/sockets   -> socket/hub adminapi        # knows what is open; answers in the API's types
operate/databases -> registry database adminapi capability/sql # knows plugins, and records what is done; has databases worked on; answers in the API's types; which a manifest has
operate/crons     -> cron/ticking adminapi      # knows what is due; answers in the API's types
transfer/lines    -> store                      # keys have its bounds
transfer          -> registry transfer/lines adminapi archive blob/cargo capability/blobs sqlite queue # says which keys are whose, and records what was done; writes and reads keys; answers in the API's types; whole data is an archive; sends blobs in pieces; knows how many blobs there may be; knows keys of databases; knows how many messages there may be
folder            -> deploy           # deploys what lies there
openfiles         -> fault            # too few have a code
footprint         -> limit            # writes sizes
vault             -> backup blob/keeper restoring registry store/badger formats # makes and keeps them; opens their blobs; guards a folder that is restored; finds the modules; opens a store; says which it writes
cgroup            ->
agekey            -> fault            # a key that is wrong has a code
backup            -> agekey adminapi archive blob/cargo plugin # reads its keys; answers in the API's types; writes and reads it; knows which blobs go along; modules have digests
server/presence   ->
server/vitals     ->
server/crowd      ->
server/accept     ->
server/socket     ->
server/content    ->
server/certificate -> fault durable             # files that are no certificate have a code; a pipe is no file
server/wire       -> spool adminapi requestid server/accept server/presence server/vitals server/crowd # puts large bodies into files; renders errors as the API does; every answer has an id; waits for connections; finds out who has left; counts what is refused; and where connections come from
server/servertest -> fault                      # says what error bodies owe
server/tus        -> server/wire                # refuses as every answer does
server/head       -> server/wire                # knows what the gate lets through
server/public     -> server/tus server/head server/certificate server/content upload capability/upload live cache socket/hub # speaks with clients of uploads by it; reads requests with it; speaks TLS with it; answers with blobs by it; keeps uploads; says which there may be; hands on who asks for events; gives answers again; opens sockets
server/stream     -> fault server/crowd          # refusals have codes; counts streams by where they come from
server/scrape     -> server/wire                # speaks HTTP with it
telemetry/metrics -> queue/delivery cron/ticking live cache socket/hub prepare server/wire store/badger/meter ship backup blob/keeper # reads what plugins and their queues count; and their schedules; and their live answers; and what is kept; and sockets; and builds; and listeners; and the store; and what is shipped; and backups; and blobs
server/admin/strict ->
server/admin/flow -> fault                      # what does not arrive has a code
server/admin      -> server/admin/strict server/admin/flow server/wire server/certificate deploy access # holds operations to their document; moves large bodies; speaks HTTP with it; speaks TLS with it; deploys; asks who may do what
client            -> plugin adminapi            # checks names before it sends; speaks the API
ship              -> agekey blob/cargo plugin # reads its keys; sends blobs with what names them; knows a module by its digest
standby           -> ship blob/keeper # fetches what was shipped; opens its blobs
.                 -> buildinfo calls operate/queues operate/crons operate/sockets operate/databases transfer webhook openfiles folder footprint standby server/public telemetry/traces server/admin server/socket server/scrape telemetry/metrics operate engine/native engine/extism capabilities vault cgroup setting # says what it was built of; has plugins call each other; delivers messages, and shows them; follows schedules, and shows them; shows sockets; lets operators use databases; moves the data of plugins; sends webhooks; asks how many files there may be; deploys from one; sums up its memory; runs as one until it takes over; opens it; has requests traced; opens it; opens sockets; opens it; has all parts read; gives it to the admin API; an engine; an engine; hands out the list; makes backups and restores them; asks how much memory there is; names its settings
cmd/wasmoor/internal/scaffold     ->
cmd/wasmoor/internal/scaffold/gen ->
cmd/wasmoor/internal/watch        ->
cmd/wasmoor/internal/term         -> plugin     # writes plugins' sizes and grants
cmd/wasmoor/internal/cli          -> . cmd/wasmoor/internal/term # runs a host; writes to a person or a script
packing           -> capabilities database     # reads manifests; and migrations
cmd/wasmoor/internal/project      -> cmd/wasmoor/internal/cli packing    # reads files as commands do; packs modules
cmd/wasmoor/internal/logline      -> adminapi cmd/wasmoor/internal/term # shows its lines; writes for a terminal
cmd/wasmoor/internal/logins       -> cmd/wasmoor/internal/cli    # says what is wrong with a file as commands do
cmd/wasmoor/internal/remote       -> client cmd/wasmoor/internal/project cmd/wasmoor/internal/logline cmd/wasmoor/internal/logins # asks the server; deploys a project; writes lines of logs; keeps log-ins
cmd/wasmoor/internal/rollout      -> cmd/wasmoor/internal/remote    # asks the server as its commands do
cmd/wasmoor/internal/overview     -> cmd/wasmoor/internal/remote    # asks the server as its commands do
cmd/wasmoor/internal/tend         -> cmd/wasmoor/internal/remote    # asks the server as its commands do
cmd/wasmoor/internal/data         -> cmd/wasmoor/internal/remote # asks the server as its commands do
cmd/wasmoor/internal/database     -> cmd/wasmoor/internal/remote sqlite/dump # asks the server as its commands do; writes what it sends as statements
cmd/wasmoor/internal/govern       -> cmd/wasmoor/internal/remote # finds the server as its commands do
cmd/wasmoor/internal/fleet        -> cmd/wasmoor/internal/remote # finds the server as its commands do
cmd/wasmoor/internal/author       -> client cmd/wasmoor/internal/project cmd/wasmoor/internal/scaffold cmd/wasmoor/internal/watch # shows the answers of a scratch host; builds it; new writes one; dev watches it
cmd/wasmoor/internal/service      -> cmd/wasmoor/internal/cli    # a socket that nobody serves is a mistake of usage
cmd/wasmoor/internal/examine      -> .                            # looks at what a host would take
cmd/wasmoor/internal/server       -> cmd/wasmoor/internal/remote cmd/wasmoor/internal/service cmd/wasmoor/internal/examine # shares how a command finds its server; serves as one; shows what is wrong
cmd/wasmoor/internal/access       -> cmd/wasmoor/internal/remote # shares how a command finds its server
cmd/wasmoor       -> cmd/wasmoor/internal/author cmd/wasmoor/internal/server cmd/wasmoor/internal/access cmd/wasmoor/internal/rollout cmd/wasmoor/internal/tend cmd/wasmoor/internal/govern cmd/wasmoor/internal/overview cmd/wasmoor/internal/backup cmd/wasmoor/internal/fleet cmd/wasmoor/internal/data cmd/wasmoor/internal/database # lists their commands; lists their commands; lists their commands; lists their commands; lists their commands; lists their commands; lists their commands; lists their commands; lists their commands; lists their commands; lists their commands
cmd/wasmoor/internal/backup       -> cmd/wasmoor/internal/remote # asks the server
`

// owners lists the packages of host that may import a dependency in production
// code, so that replacing it means one package: each of them and what is below it.
// With "tests" in place of a package, only tests and the packages that help them
// import it. A dependency without a row is an error, and so is a row that no import
// needs.
const owners = `
github.com/gofiber/fiber             server # HTTP of both listeners
github.com/valyala/fasthttp          server # below Fiber
github.com/danielgtaylor/huma        server/admin # the admin API and its OpenAPI document
github.com/gobwas/ws                 server/stream # frames of WebSockets
github.com/coder/websocket           cmd/wasmoor/internal/tend # speaks WebSocket as clients do
github.com/oklog/ulid                requestid # request ids
github.com/robfig/cron               cron # reads the fields of a crontab
github.com/tetratelabs/wazero        engine # runs WebAssembly
github.com/extism/go-sdk             engine/extism # reads Extism's plugins
github.com/dgraph-io/badger          store/badger # the store's files
github.com/dgraph-io/ristretto       store/badger # buffers that Badger keeps
github.com/minio/minio-go            bucket # speaks to S3
github.com/johannesboyne/gofakes3    tests # speaks like S3
github.com/klauspost/compress        store/badger archive ship # backups, commits
github.com/tidwall/btree             store/badger # what is decided and not yet on disk, in order
github.com/prometheus/client_golang  telemetry/metrics # metrics as collectors
github.com/prometheus/common         telemetry/metrics cmd/wasmoor/internal/overview # the text format
github.com/prometheus/client_model   cmd/wasmoor/internal/overview # metrics that were read
google.golang.org/protobuf           store/badger telemetry/traces # what Badger's manifest and OTLP are written in
go.opentelemetry.io                  telemetry/traces # spans and OTLP
github.com/failsafe-go/failsafe-go   egress # retries and breakers
code.dny.dev/ssrf                    egress/address # addresses that are not public
github.com/pelletier/go-toml         manifest policy cmd/wasmoor/internal/fleet # manifests, the file of the rules, fleet files
github.com/spf13/cobra               cmd/wasmoor # commands
github.com/spf13/pflag               cmd/wasmoor # flags
github.com/knadh/koanf               cmd/wasmoor/internal/server # settings
github.com/go-viper/mapstructure     cmd/wasmoor/internal/server # below koanf
github.com/lmittmann/tint            cmd/wasmoor/internal/server # log lines for people
github.com/fsnotify/fsnotify         cmd/wasmoor/internal/watch # changed files
github.com/rogpeppe/go-internal      cmd/wasmoor/internal/scaffold # templates as txtar
golang.org/x/mod/modfile             cmd/wasmoor/internal/scaffold # go.mod of a project
golang.org/x/mod/module              cmd/wasmoor/internal/author cmd/wasmoor/internal/scaffold # module paths
github.com/joho/godotenv             cmd/wasmoor/internal/project # env files
golang.org/x/term                    cmd/wasmoor/internal/term # is it a terminal
golang.org/x/sync/errgroup           . ship transfer cmd/wasmoor/internal/author # runs what serves, stops all of it
golang.org/x/sys/cpu                 prepare wasmbin # what an artefact was compiled for
github.com/coreos/go-systemd/v22     cmd/wasmoor/internal/service tests # sockets, news and units of systemd
go.yaml.in/yaml                      tests # the example for Kubernetes
golang.org/x/sys/unix                cmd/wasmoor/internal/service engine/linear prepare restoring store/badger server/presence # system calls
golang.org/x/crypto/argon2           capability/password # hashes passwords
github.com/google/go-cmp             tests # differences
github.com/anishathalye/porcupine    tests # are histories linearizable
pgregory.net/rapid                   tests # properties
go.uber.org/goleak                   tests # goroutines left over
github.com/ncruces/go-sqlite3        sqlite database # runs SQLite
filippo.io/age                       agekey archive backup vault ship . cmd/wasmoor/internal/backup # encrypts backups and commits
github.com/coreos/go-oidc            access/issuer cmd/wasmoor/internal/access # ID tokens
github.com/go-jose/go-jose           tests # ID tokens of a fake issuer
golang.org/x/oauth2                  cmd/wasmoor/internal/access # logs in in the browser
`
