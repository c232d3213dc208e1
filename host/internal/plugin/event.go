package plugin

import "time"

// Action says what an event did. The values are append-only: clients of the admin
// API see them.
type Action string

// The actions.
const (
	ActionInstall  Action = "install"  // first upload of a name
	ActionUpload   Action = "upload"   // a further version
	ActionRestore  Action = "restore"  // upload to a deleted plugin
	ActionGrant    Action = "grant"    // what a plugin may use grew, without a deployment
	ActionActivate Action = "activate" // a new deployment
	ActionVars     Action = "vars"     // vars changed, without a deployment
	ActionPrune    Action = "prune"    // old records removed
	ActionLimits   Action = "limits"   // the operator's limits changed, without a deployment
	ActionCORS     Action = "cors"     // the CORS policy changed, without a deployment
	ActionDelete   Action = "delete"   // deleted, data kept
	ActionPurge    Action = "purge"    // deleted with its data

	ActionKVPut    Action = "kv-put"    // an operator set a key
	ActionKVDelete Action = "kv-delete" // an operator deleted one
)

// Event says who changed what, when. It never holds the value of a var or
// of a key.
type Event struct {
	Number     uint64 // 1, 2, 3 ... over all plugins
	Time       time.Time
	By         string
	Action     Action
	Plugin     string
	Version    int
	Deployment int
	Detail     string
}
