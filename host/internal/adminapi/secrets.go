package adminapi

import "time"

// States of a secret.
const (
	SecretSet     = "set"
	SecretUnset   = "unset"
	SecretMissing = "missing" // and the plugin cannot do without
	SecretLost    = "lost"    // it was sealed with another key than the server has
)

// Undeclared is the description of a var or secret that only an older version reads.
const Undeclared = "not in the newest version's manifest"

// Secret is a secret of a plugin. Its value is never shown.
type Secret struct {
	Name        string     `json:"name"`
	State       string     `json:"state" doc:"set, unset, missing or lost: sealed with another key"`
	Set         *time.Time `json:"set,omitempty" doc:"When it was set; absent = it is not, or an older version of the server did not note it"`
	By          string     `json:"by,omitempty" doc:"Who set it"`
	Required    bool       `json:"required"`
	Lost        string     `json:"lost,omitempty" doc:"Why it cannot be opened"`
	Blind       string     `json:"blind,omitempty" doc:"Origin whose calls have it, or webhooks for one that signs them; the guest cannot read it; absent = the guest can"`
	Description string     `json:"description,omitempty"`
}

// RotatedKey says what a rotation of the key of the secrets has done.
type RotatedKey struct {
	Key  string `json:"key" doc:"Id of the new key, which tells nothing of it"`
	Keys int    `json:"keys" doc:"Keys of plugins that were wrapped with it"`
}
