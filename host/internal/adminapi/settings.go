package adminapi

// Setting is a key of the configuration that a server runs with.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value" doc:"As it is written in a config file, without quotes; what is secret in it is left out"`
	Source string `json:"source" doc:"Where it was set: a flag, a variable of the environment, the config file, or default"`
}

// SettingChange is a key whose value has changed where it is written.
type SettingChange struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
	Live bool   `json:"live" doc:"The value holds from now on; otherwise from a restart on, which SIGUSR2 makes without a lost request"`
}
