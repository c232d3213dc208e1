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
plugin            -> fault limit                # refuses a bad name with a code; an operator's limits are a part of it
wasmbin/format    -> fault                      # refuses a bad module with a code
wasmbin           -> wasmbin/format             # scans the format
wasmbin/lower     -> wasmbin                    # follows types that the scan knows
wasmbin/rewrite   -> wasmbin/lower              # lowers as it rewrites
wasmbin/hostile   ->
wasmbin/wasmbintest -> wasmbin/format wasmbin/hostile # encodes sections; seeds fuzz targets with hostile modules
limit             ->
spelling          ->
adminapi          ->
durable           ->
formats           -> fault durable              # a folder of a newer program has a code; the file is whole
manifest          -> plugin spelling            # reads a plugin's names, grants and limits; suggests the key that was meant
router            -> plugin                     # mounts are plugins' paths
store             -> fault                      # a refused transaction has a code
store/certify     -> store                      # decides about the store's effects
store/badger/inspect ->
store/badger/fair -> store                      # a line for each key space
store/badger/disk -> fault                      # a full disk has a code
store/badger/layout -> store                    # encodes the store's keys and values
store/badger/folder -> store/badger/layout store/badger/inspect durable # knows an entry when it sees one; reads the files by themselves; the marker is whole
store/badger      -> store/certify store/badger/folder store/badger/disk store/badger/fair # commits what certify decides; opens a folder that was looked at; asks for room; has commits wait in turn
store/storetest   -> store/certify              # a replica decides the log of a history again
egress            -> plugin                     # origins are grants
egress/egresstest ->
invoke            -> store limit                # holds the transaction; holds the budget
runq              ->
capability        -> invoke manifest            # host functions act on the invocation; a unit reads its table
capability/config   -> capability               # is a unit
capability/exchange -> capability               # is a unit
capability/kv       -> capability               # is a unit
capability/log      -> capability               # is a unit
capability/system   -> capability               # is a unit
capability/toolchain -> capability              # is a unit
capability/wasi     -> capability runq          # output becomes log lines of the invocation; who sleeps needs no processor
capability/outbound -> capability egress runq   # is a unit; calls out; who waits for a service needs no processor
capabilities      -> capability/config capability/exchange capability/kv capability/log capability/outbound capability/system capability/toolchain capability/wasi # lists it; lists it; lists it; lists it; lists it; lists it; lists it; lists it
engine            -> invoke manifest            # an instance runs an invocation; what a module asks for
engine/enginetest -> engine capability/outbound # the suite runs against the seam; guests that call out
engine/linear     -> limit fault                # memories share a budget; one that cannot be had has a code
engine/machine    -> engine engine/linear capability/wasi wasmbin/rewrite # builds its programs; gives instances their memory; answers the imports of a language's start; adds interrupts to modules
engine/native     -> engine/machine             # runs on it
engine/extism     -> engine/machine             # runs on it
prepare           -> engine durable             # builds with an engine; the key of artefacts is whole
registry          -> capability/kv durable      # grants are terms of capabilities, and operators write keys within the quota of [kv]; a module lasts
auth              -> fault durable              # a token that cannot be kept has a code; a new token lasts
trace             ->
logs              ->
requestid         ->
dispatch          -> engine trace runq logs   # makes instances; measures each attempt; gives guests their turns; a plugin's lines are bounded over its versions
serve             -> dispatch requestid         # runs invocations; gives each its id
deploy            -> registry router dispatch wasmbin # records what is activated; swaps the table; starts and drains deployments; reads what a module asks for
operate           -> deploy adminapi            # reads what serves; answers in the API's types
server/presence   ->
server/accept     ->
server/certificate -> fault                     # files that are no certificate have a code
server/wire       -> limit adminapi fault requestid server/accept server/presence # bounds bodies; renders errors as the API does; maps codes to statuses; every answer has an id; waits for connections; finds out who has left
server/servertest -> fault                      # says what error bodies owe
server/public     -> server/wire server/certificate deploy serve # speaks HTTP with it; speaks TLS with it; asks who serves; handles requests through it
server/admin      -> server/wire deploy         # speaks HTTP with it; deploys
client            -> plugin adminapi            # checks names before it sends; speaks the API
.                 -> server/public server/admin operate auth formats prepare store/badger engine/native engine/extism capabilities # opens it; opens it; gives it to the admin API; opens the token; keeps the folder's formats; builds apart; opens the store; an engine; an engine; hands out the list
cmd/wasmoor/internal/scaffold     ->
cmd/wasmoor/internal/scaffold/gen ->
cmd/wasmoor/internal/watch        ->
cmd/wasmoor/internal/term         -> plugin     # writes plugins' sizes and grants
cmd/wasmoor/internal/cli          -> . cmd/wasmoor/internal/term # runs a host; writes to a person or a script
cmd/wasmoor/internal/project      -> cmd/wasmoor/internal/cli    # reads files as commands do
cmd/wasmoor/internal/remote       -> client cmd/wasmoor/internal/project # asks the server; deploys a project
cmd/wasmoor/internal/author       -> client cmd/wasmoor/internal/project cmd/wasmoor/internal/scaffold cmd/wasmoor/internal/watch # shows the answers of a scratch host; builds it; new writes one; dev watches it
cmd/wasmoor/internal/service      -> cmd/wasmoor/internal/cli    # a socket that nobody serves is a mistake of usage
cmd/wasmoor/internal/server       -> cmd/wasmoor/internal/remote cmd/wasmoor/internal/service # shares how a command finds its server; serves as one
cmd/wasmoor       -> cmd/wasmoor/internal/author cmd/wasmoor/internal/server # lists their commands; lists their commands
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
github.com/oklog/ulid                requestid # request ids
github.com/tetratelabs/wazero        engine # runs WebAssembly
github.com/extism/go-sdk             engine/extism # reads Extism's plugins
github.com/dgraph-io/badger          store/badger # the store's files
github.com/dgraph-io/ristretto       store/badger # buffers that Badger keeps
github.com/klauspost/compress        store/badger # backups
github.com/tidwall/btree             store/badger # what is decided and not yet on disk, in order
google.golang.org/protobuf           store/badger # what Badger's manifest is written in
github.com/failsafe-go/failsafe-go   egress # retries and breakers
code.dny.dev/ssrf                    egress # addresses that are not public
github.com/pelletier/go-toml         manifest # manifests
github.com/spf13/cobra               cmd/wasmoor # commands
github.com/spf13/pflag               cmd/wasmoor # flags
github.com/knadh/koanf               cmd/wasmoor/internal/server # settings
github.com/go-viper/mapstructure     cmd/wasmoor/internal/server # below koanf
github.com/lmittmann/tint            cmd/wasmoor/internal/server # log lines for people
github.com/fsnotify/fsnotify         cmd/wasmoor/internal/watch # changed files
github.com/rogpeppe/go-internal      cmd/wasmoor/internal/scaffold # templates as txtar
golang.org/x/mod/modfile             cmd/wasmoor/internal/scaffold # go.mod of a project
golang.org/x/mod/module              cmd/wasmoor/internal/author # module paths
github.com/joho/godotenv             cmd/wasmoor/internal/project # env files
golang.org/x/term                    cmd/wasmoor/internal/term # is it a terminal
golang.org/x/sync/errgroup           . # runs what serves, stops all of it
golang.org/x/sys/cpu                 prepare wasmbin # what an artefact was compiled for
github.com/coreos/go-systemd/v22     cmd/wasmoor/internal/service # sockets and news for systemd
golang.org/x/sys/unix                cmd/wasmoor/internal/service engine/linear prepare store/badger server/presence # system calls
github.com/google/go-cmp             tests # differences
github.com/anishathalye/porcupine    tests # are histories linearizable
pgregory.net/rapid                   tests # properties
go.uber.org/goleak                   tests # goroutines left over
github.com/ncruces/go-sqlite3        tests # the comparison of benchmarks
`
