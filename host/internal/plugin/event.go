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
	ActionReload   Action = "reload"   // settings of the server changed
	ActionBackup   Action = "backup"   // somebody got a backup, or had one made
	ActionLimits   Action = "limits"   // the operator's limits changed, without a deployment
	ActionPause    Action = "pause"    // an operator keeps it from serving, or from writing
	ActionResume   Action = "resume"   // it serves again
	ActionEgress   Action = "egress"   // calls to other services were ended, or let go again
	ActionKill     Action = "kill"     // a running request was ended
	ActionKey      Action = "rotate"   // the key of the secrets was replaced
	ActionCORS     Action = "cors"     // the CORS policy changed, without a deployment
	ActionRollout  Action = "rollout"  // a roll-out began, went a step, or ended without a deployment
	ActionPreview  Action = "preview"  // a version got an address of its own for a while
	ActionReject   Action = "reject"   // a version does not get what it asks for
	ActionPin      Action = "pin"      // a version is kept however old it is
	ActionUnpin    Action = "unpin"    // it no longer is
	ActionDelete   Action = "delete"   // deleted, data kept
	ActionPurge    Action = "purge"    // deleted with its data

	ActionKVPut    Action = "kv-put"    // an operator set a key
	ActionKVDelete Action = "kv-delete" // an operator deleted one
	ActionKVImport Action = "kv-import" // one set many
	ActionKVExport Action = "kv-export" // all, or those of a prefix, were sent to who asked

	ActionDataExport Action = "data-export" // all data of a plugin was sent to who asked
	ActionDataImport Action = "data-import" // that of an archive was put in place of a plugin's
	ActionDataCopy   Action = "data-copy"   // that of another plugin was

	ActionSQLQuery  Action = "sql-query"  // an operator read a database
	ActionSQLWrite  Action = "sql-write"  // one had statements change it
	ActionSQLExport Action = "sql-export" // all of it was sent to who asked
	ActionSQLImport Action = "sql-import" // a file took its place

	ActionQueueSend   Action = "queue-send"   // an operator sent a message
	ActionQueueRetry  Action = "queue-retry"  // an operator had dead letters tried again
	ActionQueuePurge  Action = "queue-purge"  // one removed messages, or dead letters
	ActionQueuePause  Action = "queue-pause"  // a queue is not handled
	ActionQueueResume Action = "queue-resume" // it is handled again

	ActionCronRun Action = "cron-run" // an operator had the request of a schedule made

	ActionSocketClose Action = "socket-close" // an operator closed sockets

	ActionTokenCreate Action = "token-create" // somebody may do something
	ActionTokenRotate Action = "token-rotate" // the same, by a new token
	ActionTokenRevoke Action = "token-revoke" // a token lets nobody in any more
	ActionOwnerReset  Action = "owner-reset"  // a user of the machine put another token into its file
	ActionLogin       Action = "login"        // somebody proved who they are to an issuer
	ActionTeamSet     Action = "team-set"
	ActionTeamDelete  Action = "team-delete"
	ActionTrustSet    Action = "trust-set" // whose proofs are taken
	ActionTrustDelete Action = "trust-delete"
)

// Event says who changed what, when. It never holds the value of a var, a secret, a
// token or a key.
type Event struct {
	Number     uint64 // 1, 2, 3 ... over all plugins
	Prev       string // hash of the event before it (package audit); "" = it is in no chain
	Time       time.Time
	By         string
	Token      string // id of the token; "" = none, or it has none
	Address    string // of the client
	Request    string // id of the admin request
	Action     Action
	Plugin     string
	Version    int
	Deployment int
	Detail     string
	Changes    []Difference // what it made of what was there, as far as there is such
}
