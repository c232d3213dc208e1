package adminapi

import "time"

// The paths of sockets.
const (
	PathSockets      = "/v1/plugins/{name}/sockets"
	PathSocketsClose = "/v1/plugins/{name}/sockets/close"
)

// MaxSocketReason is how many characters the reason of a close may have: a close frame
// takes 123 bytes.
const MaxSocketReason = 123

// SocketsQuery asks for sockets of a plugin.
type SocketsQuery struct {
	PluginRef
	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"At most so many, those that were opened first"`
}

// SocketPage is the sockets of a plugin, or the first of them.
type SocketPage struct {
	Sockets []Socket `json:"sockets"`
	Open    int      `json:"open" doc:"How many there are"`
}

// Socket is one that is open.
type Socket struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind" enum:"websocket,sse"`
	Pattern string    `json:"pattern" doc:"Of the [[socket]] that it was opened by" example:"GET /rooms/{id}"`
	Client  string    `json:"client" doc:"Address of the client"`
	Opened  time.Time `json:"opened"`
	Topics  []string  `json:"topics" doc:"That it follows"`
	Waiting int       `json:"waiting" doc:"Events that the client has not taken"`
}

// CloseSockets is the body of a request that closes sockets.
type CloseSockets struct {
	ID     string `json:"id,omitempty" nullable:"true" maxLength:"64" doc:"Of the socket; absent with all"`
	All    bool   `json:"all,omitempty" nullable:"true" doc:"All sockets of the plugin"`
	Reason string `json:"reason,omitempty" nullable:"true" maxLength:"123" doc:"For the client, at most 123 bytes; absent = that an operator closed it"`
}

// Sockets says how many sockets a request was about.
type Sockets struct {
	Sockets int `json:"sockets"`
}
