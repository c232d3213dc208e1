package adminapi

import "time"

// Status is what a server says of itself.
type Status struct {
	Version       string    `json:"version" doc:"Of the program"`
	Go            string    `json:"go" doc:"The Go release it was built with"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	Plugins       int       `json:"plugins" doc:"How many are installed"`
	Store         Component `json:"store"`
	Public        Listener  `json:"public"`
	Shipping      *Shipping `json:"shipping,omitempty" doc:"Absent where commits are not shipped"`
}

// Shipping is how far commits are shipped.
type Shipping struct {
	Place     string     `json:"place" doc:"Where they are shipped to"`
	LagMillis int64      `json:"lag_ms" doc:"For how long the oldest commit has waited that is not there, or that no base is there to begin from; 0 while none waits"`
	Late      bool       `json:"late" doc:"That is more than three times ship_every"`
	Queued    int64      `json:"queued_bytes" doc:"Bytes that wait on the disk"`
	Revision  uint64     `json:"revision" doc:"All commits up to it are there"`
	Base      *time.Time `json:"base,omitempty" doc:"When the newest base was made; absent before the first"`
	Failures  uint64     `json:"failures" doc:"Since the start"`
	Error     string     `json:"error,omitempty" doc:"Why it does not get further"`
}

// Component is the state of a part of the server.
type Component struct {
	Healthy bool `json:"healthy" doc:"It can read and write"`
}

// Listener is where a listener is reached.
type Listener struct {
	URL     string `json:"url" doc:"Where clients reach the plugins" example:"http://127.0.0.1:8080"`
	Address string `json:"address" doc:"Its host and port" example:"127.0.0.1:8080"`
}

// States of a plugin.
const (
	StateServing = "serving"
	StateAsleep  = "asleep"  // as serving: the next request wakes it
	StateFailed  = "failed"  // its deployment could not be restored as it was, or not be woken
	StateStopped = "stopped" // no version is active: none was, or none since it came back
	StateDeleted = "deleted" // its data is kept
)

// Plugin is an installed plugin and how it does.
type Plugin struct {
	Name       string    `json:"name"`
	Mount      []string  `json:"mount" doc:"Where it is"`
	State      string    `json:"state" doc:"serving, asleep, failed, stopped or deleted"`
	Error      string    `json:"error,omitempty" doc:"Why it failed"`
	Version    int       `json:"version" doc:"The one that serves; 0 = none"`
	Previous   int       `json:"previous,omitempty" doc:"The version that served before; absent = none did, or it is not known"`
	Versions   int       `json:"versions" doc:"Number of the newest"`
	Deployment int       `json:"deployment" doc:"The one that serves; 0 = none"`
	Digest     string    `json:"digest,omitempty" doc:"Of the module that serves"`
	Label      string    `json:"label,omitempty" doc:"Of the version that serves"`
	Rollout    string    `json:"rollout,omitempty" doc:"How the version does that takes over; absent = none does"`
	Routes     []string  `json:"routes" doc:"None = the whole mount"`
	Slashes    []string  `json:"encoded_slashes,omitempty" doc:"The routes that take encoded slashes"`
	Private    []string  `json:"private_routes,omitempty" doc:"The routes that clients do not reach: those of other plugins, schedules, queues and sockets"`
	Calls      []string  `json:"calls,omitempty" doc:"Other plugins that it may call, each by its name, = and the plugin; > in place of = where an operator has bound it"`
	Created    time.Time `json:"created"`
	Usage      Usage     `json:"usage"`
	Requests   int64     `json:"requests" doc:"Since the server started, over all versions"`
	Failures   int64     `json:"failures" doc:"Requests of those that failed, or that the handler answered with 500 or more"`
	Conflicts  int64     `json:"conflicts" doc:"Runs of the handler whose effects were dropped for a conflict"`
	Wait       float64   `json:"wait_millis" doc:"That requests waited for their turn, in all"`
	Run        float64   `json:"run_millis" doc:"That requests were in the handler, in all"`
	InFlight   int64     `json:"in_flight" doc:"Requests that run, or wait for their turn"`
	Idle       int       `json:"idle" doc:"Clean instances that wait for a request"`
	Busy       int       `json:"busy" doc:"Instances that serve a request"`
	Fresh      string    `json:"fresh,omitempty" doc:"Why each request gets a new instance; absent = instances are reset, or none was made yet"`
	Making     float64   `json:"making_millis,omitempty" doc:"How long the last new instance took to make; absent = none was made yet"`
	Stateful   bool      `json:"stateful,omitempty" doc:"Instances keep their memory between requests"`
	Paused     *Paused   `json:"paused,omitempty" doc:"It does not serve, or takes no writes; absent = it does"`
	EgressOff  *Stopped  `json:"egress_off,omitempty" doc:"It may not call other services; absent = as it was granted"`
}

// Usage is what a key space holds.
type Usage struct {
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes" doc:"Of keys and values"`
}

// States of a version. One that has neither can be activated.
const (
	VersionServing = "serving"
	VersionWaiting = "waiting" // for what its Waiting says
	VersionRolling = "rolling" // it takes over from the one that serves

	VersionRejected = "rejected" // it will not serve
)

// Version is a version of a plugin.
type Version struct {
	Number  int       `json:"number" doc:"1, 2, 3 ... within the plugin"`
	Digest  string    `json:"digest" doc:"Of the module"`
	Size    int64     `json:"size" doc:"Bytes of the module"`
	Label   string    `json:"label,omitempty"`
	By      string    `json:"by,omitempty" doc:"Who uploaded it"`
	Created time.Time `json:"created"`
	Ask     Grant     `json:"ask" doc:"What its manifest asks for"`
	Mount   []string  `json:"mount,omitempty" doc:"Where its upload wants it to serve; absent = where the plugin is"`
	State   string    `json:"state,omitempty" doc:"serving, rolling, waiting or rejected; absent = it can be activated"`
	Pinned  bool      `json:"pinned,omitempty" doc:"It is kept however old it is"`
	Waiting []string  `json:"waiting,omitempty" doc:"What keeps it from being activated, each with what to do"`

	Asks      []Ask      `json:"asks,omitempty" doc:"How what it asks for differs from what the plugin has; absent = it waits for no approval"`
	AskDigest string     `json:"ask_digest,omitempty" doc:"Of all that an approval grants; the request to approve has it"`
	Rejected  *Rejection `json:"rejected,omitempty" doc:"Who has rejected it; absent = nobody"`
}

// Grant is what a plugin may use, or asks for. Its members are those of the
// capabilities: true under the name of one, numbers and strings under names that
// begin with it and _. stateful says that instances keep their memory between
// requests.
type Grant map[string]any

// Deployment says which version of a plugin served, where, and with which grant
// and CORS policy. The values of vars are not shown.
type Deployment struct {
	Number  int       `json:"number" doc:"1, 2, 3 ... within the plugin"`
	Version int       `json:"version"`
	Mount   []string  `json:"mount" doc:"Where it served"`
	Grant   Grant     `json:"grant"`
	CORS    *CORS     `json:"cors,omitempty"`
	By      string    `json:"by,omitempty" doc:"Who made it"`
	Created time.Time `json:"created"`
}

// Changed says what a change of what serves did. A deploy that waits is no
// error.
type Changed struct {
	Plugin     string   `json:"plugin"`
	Mount      []string `json:"mount" doc:"Where the version serves, or would once activated"`
	Version    int      `json:"version"`
	Digest     string   `json:"digest"`
	Deployment int      `json:"deployment" doc:"The one that serves; 0 = none"`
	Activated  bool     `json:"activated"`
	Asks       []Ask    `json:"asks,omitempty" doc:"How what the version asks for differs from what the plugin had: granted and given back, once it is activated"`
	Rollout    string   `json:"rollout,omitempty" doc:"The plan by which it takes over from now on; absent = it does not"`
	Waiting    []string `json:"waiting" doc:"What keeps it from being activated, each with what to do"`
	Routes     []string `json:"routes" doc:"None = the whole mount"`
	Private    []string `json:"private_routes,omitempty" doc:"The routes that clients do not reach: those of other plugins, schedules, queues and sockets"`
	Steps      []Step   `json:"steps"`
	Notices    []string `json:"notices" doc:"Limits that this server does not keep, and what requests pay for how the version initialises, each with why"`
}

// Preview is a version at an address of its own. Whoever knows the address may use
// it.
type Preview struct {
	Version int       `json:"version,omitempty"`
	URL     string    `json:"url,omitempty" doc:"Where its mount is"`
	Writes  bool      `json:"writes,omitempty" doc:"What it writes is kept"`
	Ends    time.Time `json:"ends,omitzero"`
	Ended   int       `json:"ended,omitempty" doc:"How many previews were ended, where that was asked for"`
}

// States of a roll-out.
const (
	RolloutRunning = "running"
	RolloutPaused  = "paused" // by a person
	RolloutHeld    = "held"   // its step is over, and too little is known to go on
	RolloutDone    = "done"
	RolloutBack    = "back"    // it did worse
	RolloutAborted = "aborted" // by a person
)

// Rollout is how a version takes over from another one, or did.
type Rollout struct {
	Plugin  string      `json:"plugin"`
	State   string      `json:"state" doc:"running, paused, held (the time of the step is over, and too little is known to go on), done, back (it did worse) or aborted"`
	Share   float64     `json:"share_percent" doc:"Of the clients that the new version has, or had at the end"`
	Plan    string      `json:"plan"`
	Step    int         `json:"step" doc:"1 is the first"`
	Steps   int         `json:"steps"`
	Key     string      `json:"key,omitempty" doc:"By what a client is known; absent = by its Authorization header, or else its address"`
	By      string      `json:"by,omitempty" doc:"Who began it"`
	Started time.Time   `json:"started"`
	Stepped time.Time   `json:"stepped" doc:"When the step began"`
	Ended   *time.Time  `json:"ended,omitempty"`
	Verdict string      `json:"verdict,omitempty" doc:"good, worse or inconclusive; absent = nobody looks, since it has ended"`
	Reason  string      `json:"reason,omitempty" doc:"The numbers behind the verdict, or why it ended"`
	Old     RolloutSide `json:"old"`
	New     RolloutSide `json:"new"`
}

// RolloutSide is one version of a roll-out: what it did since the roll-out, or the
// server, began.
type RolloutSide struct {
	Version  int     `json:"version"`
	Requests int64   `json:"requests"`
	Failures int64   `json:"failures" doc:"That ended with a fault of the version or the server, or with 500 or more"`
	Traps    int64   `json:"traps" doc:"Failures in which the guest trapped, or gave no valid answer"`
	P50      float64 `json:"p50_millis" doc:"In the handler and its commit"`
	P99      float64 `json:"p99_millis"`
}

// Step is a part of a change and the time it took.
type Step struct {
	Name   string  `json:"name"`
	Millis float64 `json:"millis"`
	Detail string  `json:"detail,omitempty" doc:"For a person, e.g. from cache"`
}

// Took returns the time.
func (s Step) Took() time.Duration { return time.Duration(s.Millis * float64(time.Millisecond)) }

// Var is a config value of a plugin.
type Var struct {
	Name        string  `json:"name"`
	Value       string  `json:"value,omitempty" doc:"Absent when it is secret"`
	Set         bool    `json:"set"`
	Secret      bool    `json:"secret"`
	Required    bool    `json:"required"`
	Default     *string `json:"default,omitempty" doc:"Absent = none"`
	Description string  `json:"description,omitempty"`
}

// Limits are an operator's limits of a plugin; 0 or absent = the manifest's. It is an
// answer and the body of a request.
type Limits struct {
	Memory         int64 `json:"memory,omitempty" nullable:"true" minimum:"0" maximum:"536870912" doc:"Bytes of one instance, in pages of 64 KiB"`
	DeadlineMillis int64 `json:"deadline_millis,omitempty" nullable:"true" minimum:"0" maximum:"60000" doc:"Milliseconds from the start of a request to the end of its handler"`
	RequestBody    int64 `json:"request_body,omitempty" nullable:"true" minimum:"0" maximum:"67108864" doc:"Bytes"`
	ResponseBody   int64 `json:"response_body,omitempty" nullable:"true" minimum:"0" maximum:"67108864" doc:"Bytes"`
	Concurrency    int64 `json:"concurrency,omitempty" nullable:"true" minimum:"0" maximum:"1024" doc:"Requests of the plugin at a time"`
}

// LimitsShown is what a plugin's limits are, and where they come from.
type LimitsShown struct {
	Manifest  Limits `json:"manifest" doc:"What the manifest of the version that serves says, or of the newest"`
	Operator  Limits `json:"operator" doc:"What the operator has decided; absent = the manifest's"`
	Effective Limits `json:"effective" doc:"What holds; a route may have less"`
	Maximum   Limits `json:"maximum" doc:"What the operator may decide at most"`
}

// Pruned says how many records were removed, or would be.
type Pruned struct {
	Versions    int `json:"versions"`
	Deployments int `json:"deployments"`
	Events      int `json:"events"`
}

// CORS says which pages of other origins may read a plugin's answers. It is an
// answer and the body of a request.
type CORS struct {
	Origins     []string `json:"origins" nullable:"false" minItems:"1" maxItems:"64" maxLength:"256" pattern:"^(\\*|[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\\[[0-9a-f:.]+\\])(:[1-9][0-9]{0,4})?)$" patternDescription:"scheme://host[:port] in lower case, without a path, or *" doc:"Exact origins, e.g. https://example.org, or * alone"`
	Methods     []string `json:"methods,omitempty" maxItems:"64" maxLength:"256" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" patternDescription:"a token" doc:"Methods a page may use; none = GET, HEAD, POST"`
	Headers     []string `json:"headers,omitempty" maxItems:"64" maxLength:"256" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" patternDescription:"a token" doc:"Request header fields a page may set, or * alone"`
	Expose      []string `json:"expose,omitempty" maxItems:"64" maxLength:"256" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" patternDescription:"a token" doc:"Response header fields a page may read, or * alone"`
	Credentials bool     `json:"credentials,omitempty" nullable:"true" doc:"Whether requests may carry cookies and the like; not with *"`
	MaxAge      int      `json:"max_age,omitempty" nullable:"true" minimum:"0" maximum:"86400" doc:"Seconds a browser may remember a preflight; 0 = its own default"`
}

// KeyPage is a part of a listing of keys.
type KeyPage struct {
	Entries []KeyEntry `json:"entries"`
	More    bool       `json:"more" doc:"There are keys after the last one"`
}

// KeyEntry is a key and what is known of its value.
type KeyEntry struct {
	Key
	Size int64 `json:"size" doc:"Bytes of the value"`
}

// Request tells of a recent request that a plugin was asked to handle. Times are
// milliseconds, over all attempts; long texts are cut.
type Request struct {
	ID       string    `json:"id"`
	Plugin   string    `json:"plugin"`
	Version  int       `json:"version"`
	Trigger  string    `json:"trigger" doc:"Which way it came: http, queue, cron, call"`
	Method   string    `json:"method"`
	Path     string    `json:"path" doc:"Below the mount, without the query"`
	Pattern  string    `json:"pattern,omitempty" doc:"What matched: the guest's router, or the manifest's route"`
	Start    time.Time `json:"start" doc:"When its body was read and it was passed on"`
	Attempts int       `json:"attempts" doc:"Runs of the handler; more than 1 after conflicts"`
	Outcome  string    `json:"outcome" doc:"Of its effects: none, committed, aborted, joined (to those of the plugin that called it), unknown"`
	Replayed bool      `json:"replayed,omitempty" doc:"The answer was that of an earlier request with its Idempotency-Key"`
	Status   int       `json:"status,omitempty" doc:"Of the handler's answer; absent where it gave none"`
	Code     string    `json:"code,omitempty" doc:"Why it failed, as in the type of its problem"`
	Error    string    `json:"error,omitempty" doc:"The same in words, for an operator"`
	BytesIn  int64     `json:"bytes_in" doc:"Of its body"`
	BytesOut int64     `json:"bytes_out" doc:"Of the body of the handler's answer"`
	Times    Times     `json:"times"`
	Conflict *Conflict `json:"conflict,omitempty" doc:"What the last attempt that conflicted collided with"`
}

// Times says where the time of a request went, in milliseconds.
type Times struct {
	Total  float64 `json:"total_millis" doc:"From when it was passed on until its answer could be sent"`
	Wait   float64 `json:"wait_millis" doc:"For its turn: at the plugin's limit, or for another with its Idempotency-Key"`
	Wake   float64 `json:"wake_millis" doc:"For an instance, and for the plugin to be woken"`
	Run    float64 `json:"run_millis" doc:"In the handler"`
	Commit float64 `json:"commit_millis" doc:"Until its effects were durable, or refused"`
}

// Conflict names a key that was read, and written by another request before the
// commit. Without a key the snapshot was too old for the server to say.
type Conflict struct {
	Key
	Space uint64 `json:"space" doc:"Id of the plugin's key space"`
	Area  string `json:"area" doc:"Of that space: kv, or records for what the host keeps of the plugin"`
}

// LogPage is what was asked for of a plugin's log.
type LogPage struct {
	Lines  []LogLine  `json:"lines" doc:"In the order they were logged"`
	Cursor string     `json:"cursor,omitempty" doc:"Of the last line that was looked at; absent = there was none"`
	Oldest *time.Time `json:"oldest,omitempty" doc:"Of all lines that are kept of the plugin; absent = it has none"`
}

// LogLine is a line of a plugin's log: of a guest, or of the host about the plugin. One
// with dropped has no text.
type LogLine struct {
	Cursor     string    `json:"cursor" doc:"Where the line is"`
	Time       time.Time `json:"time"`
	Level      string    `json:"level,omitempty" doc:"debug, info, warn or error"`
	Version    int       `json:"version,omitempty" doc:"Of the plugin"`
	RequestID  string    `json:"request_id,omitempty"`
	Message    string    `json:"message,omitempty"`
	Attributes []LogAttr `json:"attributes,omitempty" doc:"Those of the host"`
	Guest      []LogAttr `json:"guest,omitempty" doc:"Those that the guest has given the line"`

	Dropped int64      `json:"dropped,omitempty" doc:"So many lines are missing here"`
	From    *time.Time `json:"from,omitempty" doc:"When the first of them was logged, and at time the last; absent = it is not known"`
}

// LogAttr is an attribute of a line.
type LogAttr struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Problem is the body of every error that the host makes, on the public
// listener too. Type is fixed for a code, so that a client can branch on it.
type Problem struct {
	Type      string         `json:"type" doc:"urn:wasmoor: and the code" example:"urn:wasmoor:not_found"`
	Title     string         `json:"title" doc:"The meaning of the status"`
	Status    int            `json:"status" doc:"The HTTP status"`
	Code      string         `json:"code" doc:"What kind of failure it is" example:"not_found"`
	Detail    string         `json:"detail" doc:"What happened and what to do, for a person"`
	RequestID string         `json:"request_id" doc:"Names the request in the server's log"`
	Effects   string         `json:"effects,omitempty" doc:"What became of a handler's writes: none, committed or unknown"`
	Errors    []ProblemField `json:"errors,omitempty" doc:"Which parts of the request are wrong"`
}

// ProblemField says what is wrong with one part of a request.
type ProblemField struct {
	Message  string `json:"message" doc:"What is wrong"`
	Location string `json:"location,omitempty" doc:"Where, e.g. query.limit"`
}
