// Package limits holds the limits of SPEC.md, 8, that bound what a guest does:
// this host's defaults. The host and its fake in sdktest take them from here; a
// guest must not depend on them, so that nothing else imports it.
package limits

// Sizes are bytes.
const (
	Key         = 1 << 10 // of a key within its key space, a prefix, a cursor
	Value       = 1 << 20
	Effects     = 10_000 // keys that an attempt writes
	EffectBytes = 4 << 20
	Stamped     = 100 // keys with a versionstamp that an attempt writes

	RequestHead     = 32 << 10 // request line and header
	RequestURL      = 8 << 10
	RequestBody     = 4 << 20
	Headers         = 100      // fields of a request or a response
	Attributes      = 64       // of a request, that the host sets
	AttributesBytes = 16 << 10 // of their names and values
	ResponseHead    = 64 << 10
	ResponseBody    = 8 << 20

	RoutePattern = 256 // what route_set accepts
	LogLine      = 8 << 10
	LogLines     = 1000 // of an attempt; the rest is counted, not kept
	Attempts     = 4    // the first run and three re-runs after conflicts

	Deadline = 5_000_000_000 // nanoseconds, of all attempts

	SQLStatement = 1 << 20  // of a statement, and of a text, a blob or a row
	SQLArgs      = 4 << 20  // of the parameters of a statement
	SQLQueries   = 64       // of an attempt that are open
	SQLMemory    = 32 << 20 // that SQLite has for one attempt's work on a database

	QueueBody  = 256 << 10              // of a message
	QueueKey   = 255                    // of a message's key, and of its id
	QueueSends = 100                    // messages that an attempt sends
	QueueDelay = 365 * 24 * 3600 * 1000 // milliseconds

	Topic          = 255       // of the name of a topic
	SocketID       = 64        // of the id of a socket
	SocketData     = 256 << 10 // of what is sent or published, and of a client's message
	SocketName     = 128       // of the name of an event
	SocketReason   = 123       // of the reason of a close
	SocketAttached = 2 << 10   // of what a socket carries
	SocketEffects  = 1000      // things that an attempt does on sockets
	SocketTopics   = 100       // that a socket follows

	Calls      = 20 // to other services, that an attempt may open, closed ones included
	CallHead   = 32 << 10
	CallBody   = 4 << 20  // of a call's request
	CallBodies = 16 << 20 // of the requests of an attempt's calls, until they are sent or closed

	CallAnswers = 1 << 20 // of the answers to a request's calls, kept for another attempt

	Password        = 4 << 10   // of a password
	PasswordHash    = 512       // of a hash that is compared with
	PasswordHashes  = 16        // that an attempt computes
	PasswordMemory  = 64 << 20  // of a hash under way
	PasswordTraffic = 256 << 20 // memory times passes of a hash
	PasswordLanes   = 16        // of a hash

	BlobName        = 512 // of a name, a prefix, a cursor
	BlobType        = 255 // of a media type
	BlobMetadata    = 2 << 10
	BlobDisposition = 1 << 10
	BlobWriters     = 8       // that an attempt has begun and not ended
	BlobCount       = 10_000  // names of a plugin whose manifest says nothing else
	BlobBytes       = 1 << 30 // of all blobs that they name
)
