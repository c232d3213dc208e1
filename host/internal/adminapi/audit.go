package adminapi

import "time"

// Event says who changed what, when. It never holds the value of a var or of a
// key.
type Event struct {
	Number     uint64    `json:"number" doc:"1, 2, 3 ... over all plugins"`
	Time       time.Time `json:"time"`
	By         string    `json:"by,omitempty"`
	Token      string    `json:"token,omitempty" doc:"Id of the token; absent = that of the machine's file, or it is not known"`
	Address    string    `json:"address,omitempty" doc:"Of the client"`
	RequestID  string    `json:"request_id,omitempty" doc:"Of the request to the admin API"`
	Action     string    `json:"action"`
	Plugin     string    `json:"plugin"`
	Version    int       `json:"version,omitempty"`
	Deployment int       `json:"deployment,omitempty"`
	Detail     string    `json:"detail,omitempty"`

	Changes []Difference `json:"changes,omitempty" doc:"What it made of what was there; absent = nothing that has a value before and after, or it is from before events had such"`
}

// Difference is what an event made of one thing. No value of a var, a secret or a
// token is in it.
type Difference struct {
	What   string `json:"what" doc:"E.g. limits.memory, cors.origins, grant.outbound, var home" example:"limits.memory"`
	Before string `json:"before,omitempty" doc:"Absent = it was not set"`
	After  string `json:"after,omitempty" doc:"Absent = it is not set any more"`
}

// AuditLines is a part of the audit as it is stored, for who verifies its chain.
type AuditLines struct {
	Begin AuditPoint `json:"begin" doc:"After the last event that was pruned"`
	End   AuditPoint `json:"end" doc:"After the last event"`
	Lines []string   `json:"lines" doc:"Events as lines of JSON, in their order; none = there is none after"`
}

// AuditPoint is a place in the chain of events.
type AuditPoint struct {
	Number uint64 `json:"number" doc:"Of the event before it; 0 = there is none"`
	Hash   string `json:"hash,omitempty" doc:"SHA-256 of that event's line and its line end; absent = it is from before the chain began"`
}

// Approval is a version that waits for an approval.
type Approval struct {
	Plugin  string    `json:"plugin"`
	Version int       `json:"version"`
	By      string    `json:"by,omitempty" doc:"Who uploaded it"`
	Created time.Time `json:"created"`
	Mount   []string  `json:"mount,omitempty" doc:"Where its upload wants it to serve; absent = where the plugin is"`
	Asks    []Ask     `json:"asks" doc:"How what it asks for differs from what the plugin has"`
	Digest  string    `json:"ask_digest" doc:"Of all that an approval grants; the request to approve has it"`
}

// Ask is a part of how what a version asks for differs from what its plugin has.
type Ask struct {
	What   string `json:"what" doc:"For a person"`
	Reason string `json:"reason,omitempty" doc:"The author's; absent = none is given"`
	Less   bool   `json:"less,omitempty" doc:"The plugin has it, and the version does not ask for it"`
	// About tells of a plugin that is to be called.
	About []string `json:"about,omitempty" doc:"Of calls to a plugin: whose it is, and what it and those that it calls may do themselves"`
}

// AsksOf returns asks of the domain as they are on the wire. about tells of the plugin
// that is to be called by one; nil = nothing.
func AsksOf[A ~struct {
	What, Reason string
	Less         bool
	Reaches      string
}](list []A, about func(plugin string) []string,
) []Ask {
	asks := make([]Ask, len(list))
	for i := range list {
		a := struct {
			What, Reason string
			Less         bool
			Reaches      string
		}(list[i])
		asks[i] = Ask{What: a.What, Reason: a.Reason, Less: a.Less}
		if about != nil && a.Reaches != "" {
			asks[i].About = about(a.Reaches)
		}
	}
	return asks
}

// Signed returns what is asked for with the sign of a difference in front: + or -.
func (a Ask) Signed() string {
	if a.Less {
		return "- " + a.What
	}
	return "+ " + a.What
}

// Because returns the reason behind what is asked for, "" without one.
func (a Ask) Because() string {
	if a.Reason == "" {
		return ""
	}
	return " (" + a.Reason + ")"
}

// Rejection says who decided that a version does not get what it asks for, and why.
type Rejection struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}
