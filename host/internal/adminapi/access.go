package adminapi

import "time"

// The paths of who may do what.
const (
	PathWho    = "/v1/whoami"
	PathTokens = "/v1/tokens"
	PathToken  = "/v1/tokens/{token}" //nolint:gosec // a path
	PathRotate = "/v1/tokens/{token}/rotate"
	PathTeams  = "/v1/teams"
	PathTeam   = "/v1/teams/{team}"
	PathRules  = "/v1/trust"
	PathRule   = "/v1/trust/{rule}"
	PathLogin  = "/v1/login"
)

// Who is who makes a request, and what they may do.
type Who struct {
	Name    string `json:"name"`
	Kind    string `json:"kind" doc:"machine, token, person or ci"`
	Token   string `json:"token,omitempty" doc:"Id of the token; absent = that of the machine's file"`
	Role    string `json:"role" doc:"viewer, deployer, operator or owner"`
	Plugins string `json:"plugins" doc:"Pattern of the plugins"`
	Team    string `json:"team,omitempty" doc:"Whose plugins alone it is for"`
}

// States of a token.
const (
	TokenValid   = "valid"
	TokenExpired = "expired"
	TokenRevoked = "revoked"
)

// Token is a token or a log-in, without its secret.
type Token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Kind    string     `json:"kind" doc:"token, person or ci"`
	Role    string     `json:"role" doc:"viewer, deployer, operator or owner"`
	Plugins string     `json:"plugins" doc:"Pattern of the plugins"`
	Team    string     `json:"team,omitempty" doc:"Whose plugins alone it is for"`
	State   string     `json:"state" doc:"valid, expired or revoked"`
	By      string     `json:"by" doc:"Who made it"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty" doc:"Absent = never"`
	Used    *time.Time `json:"used,omitempty" doc:"About when it was used last; absent = it was not"`
}

// TokenMade is a new token with its secret, which no other answer has.
type TokenMade struct {
	Token
	Secret string `json:"secret" doc:"What a request sends as Authorization: Bearer SECRET. It is shown this once"`
}

// TokenSpec is the body of a request that makes a token.
type TokenSpec struct {
	Name    string `json:"name" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9]([A-Za-z0-9._@+/:-]*[A-Za-z0-9])?$" patternDescription:"letters, digits and . _ @ + / : -" doc:"Whose it is, for the audit" example:"ann"`
	Role    string `json:"role" pattern:"^(viewer|deployer|operator|owner)$" patternDescription:"viewer, deployer, operator or owner" example:"deployer"`
	Plugins string `json:"plugins,omitempty" nullable:"true" maxLength:"256" pattern:"^([a-z0-9*-]+(,[a-z0-9*-]+)*)?$" patternDescription:"names with * for any characters, with commas between" doc:"For which plugins; absent = all" example:"shop,shop-*"`
	Team    string `json:"team,omitempty" nullable:"true" maxLength:"128" doc:"Whose plugins alone it is for" example:"shop"`
	Seconds int64  `json:"seconds,omitempty" nullable:"true" minimum:"0" maximum:"315360000" doc:"How long it lasts; 0 = 90 days"`
	Forever bool   `json:"forever,omitempty" nullable:"true" doc:"It never expires"`
}

// TokenRef names a token by its id.
type TokenRef struct {
	Token string `path:"token" maxLength:"16" pattern:"^[a-z0-9]+$" patternDescription:"the id of a token" doc:"Id of the token" example:"k3j2a7qd"`
}

// Rotation is the body of a request that puts a new token in place of one.
type Rotation struct {
	Grace *int64 `json:"grace_seconds,omitempty" nullable:"true" minimum:"0" maximum:"2592000" doc:"How long the old one goes on at the most; absent = an hour"`
}

// Team owns plugins, within quotas.
type Team struct {
	Name    string `json:"name"`
	Plugins string `json:"plugins" doc:"Pattern of its plugins"`
	Memory  int64  `json:"memory" doc:"Bytes that all its instances together may grow to; 0 = no bound of its own"`
	Disk    int64  `json:"disk" doc:"Bytes of keys and values that its plugins may fill; 0 = no bound"`
	Weight  int    `json:"weight" doc:"Shares of the processors that each of its plugins has where one of no team has 1"`

	UsedPlugins int   `json:"used_plugins" doc:"How many plugins it has, with deleted ones whose data is kept"`
	UsedMemory  int64 `json:"used_memory" doc:"Bytes that its instances may grow to at the moment"`
	UsedDisk    int64 `json:"used_disk" doc:"Bytes of keys and values that its plugins have"`
}

// TeamRef names a team.
type TeamRef struct {
	Team string `path:"team" maxLength:"128" pattern:"^[A-Za-z0-9]([A-Za-z0-9._@+:-]*[A-Za-z0-9])?$" patternDescription:"letters, digits and . _ @ + : -" doc:"Name of the team" example:"shop"`
}

// TeamSpec is the body of a request that makes or changes a team.
type TeamSpec struct {
	Plugins string `json:"plugins" minLength:"1" maxLength:"256" pattern:"^[a-z0-9*-]+(,[a-z0-9*-]+)*$" patternDescription:"names with * for any characters, with commas between" doc:"Its plugins" example:"shop,shop-*"`
	Memory  int64  `json:"memory,omitempty" nullable:"true" minimum:"0" maximum:"9007199254740991" doc:"Bytes that all its instances together may grow to; 0 = no bound of its own"`
	Disk    int64  `json:"disk,omitempty" nullable:"true" minimum:"0" maximum:"9007199254740991" doc:"Bytes of keys and values that its plugins may fill; 0 = no bound"`
	Weight  int    `json:"weight,omitempty" nullable:"true" minimum:"0" maximum:"100" doc:"Shares of the processors that each of its plugins has where one of no team has 1; 0 = 1"`
}

// RuleRef names a rule of trust.
type RuleRef struct {
	Rule string `path:"rule" maxLength:"128" pattern:"^[A-Za-z0-9]([A-Za-z0-9._@+:-]*[A-Za-z0-9])?$" patternDescription:"letters, digits and . _ @ + : -" doc:"Name of the rule" example:"shop-ci"`
}

// RuleSpec is the body of a request that makes or changes a rule of trust: what
// somebody may do who proves by an ID token of OIDC who they are.
type RuleSpec struct {
	Issuer   string            `json:"issuer" minLength:"1" maxLength:"512" doc:"Who signs the ID tokens" example:"https://token.actions.githubusercontent.com"`
	Audience string            `json:"audience" minLength:"1" maxLength:"256" doc:"Whom they must be for; of a login, the client id" example:"wasmoor"`
	Claims   map[string]string `json:"claims" maxProperties:"32" doc:"What else they must say; * in a value stands for any characters"`
	Login    bool              `json:"login,omitempty" nullable:"true" doc:"It is for people, who log in with the client id"`
	Private  bool              `json:"private,omitempty" nullable:"true" doc:"The issuer may be in a private network"`
	Role     string            `json:"role" pattern:"^(viewer|deployer|operator|owner)$" patternDescription:"viewer, deployer, operator or owner" example:"deployer"`
	Plugins  string            `json:"plugins,omitempty" nullable:"true" maxLength:"256" pattern:"^([a-z0-9*-]+(,[a-z0-9*-]+)*)?$" patternDescription:"names with * for any characters, with commas between" doc:"For which plugins; absent = all" example:"shop,shop-*"`
	Team     string            `json:"team,omitempty" nullable:"true" maxLength:"128" doc:"Whose plugins alone it is for" example:"shop"`
	Seconds  int64             `json:"seconds,omitempty" nullable:"true" minimum:"0" maximum:"86400" doc:"How long a log-in lasts; 0 = 15 minutes, of people 12 hours"`
}

// Rule is a rule of trust.
type Rule struct {
	Name string `json:"name"`
	RuleSpec
}

// LoginAt is an issuer that people log in at.
type LoginAt struct {
	Rule   string `json:"rule"`
	Issuer string `json:"issuer"`
	Client string `json:"client" doc:"The client id"`
}

// Login is the body of a request that exchanges an ID token for a token.
type Login struct {
	Token string `json:"id_token" minLength:"1" maxLength:"16384" doc:"The ID token"`
	Rule  string `json:"rule,omitempty" nullable:"true" maxLength:"128" doc:"Only by this rule of trust"`
}
