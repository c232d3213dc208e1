package adminapi

import "time"

// The paths of queues.
const (
	PathQueues        = "/v1/plugins/{name}/queues"
	PathQueueMessages = "/v1/plugins/{name}/queues/{queue}/messages"
	PathQueueRetry    = "/v1/plugins/{name}/queues/{queue}/retry"
	PathQueuePause    = "/v1/plugins/{name}/queues/{queue}/pause"
)

// Queue is how a queue of a plugin does.
type Queue struct {
	Name      string  `json:"name"`
	Declared  bool    `json:"declared" doc:"The version that serves has it; else nobody handles its messages"`
	Paused    bool    `json:"paused,omitempty" doc:"Or its plugin is"`
	Waiting   int     `json:"waiting" doc:"Messages, those that are delayed too"`
	Handling  int     `json:"handling" doc:"Messages that are being handled"`
	Age       float64 `json:"age_seconds" doc:"Since the oldest message was sent that is not handled; 0 = there is none"`
	Dead      int     `json:"dead" doc:"Dead letters that are kept"`
	Handled   int64   `json:"handled" doc:"Messages, since the start of the server"`
	Failed    int64   `json:"failed" doc:"Attempts, since the start of the server"`
	Conflicts int64   `json:"conflicts" doc:"Runs that have lost to others again and again, since the start of the server"`
	Refused   int64   `json:"refused" doc:"Runs that found no place, since the start of the server"`
}

// QueueRef names a queue.
type QueueRef struct {
	PluginRef
	Queue string `path:"queue" minLength:"1" maxLength:"63" doc:"Name of the queue" example:"mail"`
}

// MessagesQuery asks for messages of a queue.
type MessagesQuery struct {
	QueueRef
	Dead  bool   `query:"dead" doc:"Its dead letters"`
	After string `query:"after" maxLength:"64" doc:"The id of the last message before" example:"0000000000001f2a0000-9f3c21aa"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"At most so many"`
}

// MessagesRef names the messages of a queue, or its dead letters.
type MessagesRef struct {
	QueueRef
	Dead bool `query:"dead" doc:"Its dead letters"`
}

// MessagePage is a part of what is in a queue.
type MessagePage struct {
	Messages []Message `json:"messages"`
	More     bool      `json:"more" doc:"There are others behind"`
}

// Message is a message of a queue.
type Message struct {
	ID       string     `json:"id"`
	Key      string     `json:"key,omitempty"`
	From     string     `json:"from,omitempty" doc:"The other plugin that sent it"`
	Sent     time.Time  `json:"sent"`
	Due      *time.Time `json:"due,omitempty" doc:"It is not handled before; absent = at once"`
	Attempts int        `json:"attempts" doc:"That have failed"`
	Problem  string     `json:"problem,omitempty" doc:"With which the last one failed"`
	Size     int        `json:"size" doc:"Bytes of the body"`
	URL      string     `json:"url,omitempty" doc:"Where a webhook goes"`
	Body     string     `json:"body" doc:"Its first 4 KiB"`
	Base64   bool       `json:"base64,omitempty" doc:"The body is no text, and in base64"`
}

// Send sends a message to a queue, whose body is that of the request.
type Send struct {
	QueueRef
	Key   string `query:"key" maxLength:"255" doc:"Messages that share one are handled in order; at most 255 bytes" example:"user/7"`
	ID    string `query:"id" maxLength:"255" doc:"A message with one that was sent before, within the retention of the queue, is dropped; at most 255 bytes"`
	Delay string `query:"delay" maxLength:"32" doc:"How long the message is not handled, as Go writes durations; at most 365 days" example:"90s"`
	Wait  string `query:"wait" maxLength:"32" doc:"How long the answer waits for the message to be settled, at most 1m; absent = it does not" example:"30s"`
}

// MaxSendWait is how long the answer to a sent message may wait.
const MaxSendWait = time.Minute

// What became of a message that was sent.
const (
	SentWaiting  = "waiting"  // or it is being handled
	SentHandled  = "handled"  // or it was purged
	SentDead     = "dead"     // it is a dead letter
	SentRepeated = "repeated" // one with its id was sent before
)

// Sent says what became of a message that was sent.
type Sent struct {
	ID       string `json:"id,omitempty" doc:"Of the message; absent = it was dropped"`
	State    string `json:"state" enum:"waiting,handled,dead,repeated" doc:"At the time of the answer: waiting or being handled; handled, or purged; a dead letter; dropped, as one with its id was sent before"`
	Attempts int    `json:"attempts,omitempty" doc:"That have failed"`
	Problem  string `json:"problem,omitempty" doc:"With which the last one failed"`
}

// Retry is the body of a request that tries dead letters again.
type Retry struct {
	IDs []string `json:"ids,omitempty" nullable:"true" maxItems:"1000" maxLength:"64" doc:"Of the dead letters; absent = all of the queue"`
}

// Messages says how many messages a request was about.
type Messages struct {
	Messages int `json:"messages"`
}
