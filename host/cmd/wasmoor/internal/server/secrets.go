package server

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

const (
	secretsVariable   = envPrefix + "SECRETS_KEY"
	secretsCredential = "wasmoor-secrets-key" // of systemd, as by LoadCredential=
	maxSecretsKey     = 4 << 10
)

// secretsKey takes the key of the secrets from the environment, or from systemd, if
// either has one. It stays in the environment, for the process of a restart; those that
// build modules get none of it.
func (p *Commands) secretsKey(cfg *host.Config) error {
	if text := p.Getenv(secretsVariable); text != "" {
		cfg.SecretsKey, cfg.SecretsKeySource = text, secretsVariable
		return nil
	}
	dir := p.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" || cfg.SecretsKeyFile != "" {
		return nil
	}
	file := filepath.Join(dir, secretsCredential)
	text, err := cli.ReadRegular(file, "read the key of the secrets", maxSecretsKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	cfg.SecretsKey, cfg.SecretsKeySource = string(text), file
	return err
}
