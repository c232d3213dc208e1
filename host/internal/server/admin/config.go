package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Settings is where an operator keeps the configuration of the server. Methods are
// safe for concurrent use.
type Settings interface {
	// Show lists what the server runs with, by key.
	Show() []adminapi.Setting
	// Reload reads the configuration again and makes hold what can, or nothing: then
	// the error is Invalid and says what is wrong with it. by is who asked.
	Reload(ctx context.Context, by string) ([]adminapi.SettingChange, error)
}

func (a *Admin) settings(context.Context, *struct{}) (*output[[]adminapi.Setting], error) {
	if a.cfg.Settings == nil {
		return nil, errNoSettings
	}
	return &output[[]adminapi.Setting]{a.cfg.Settings.Show()}, nil
}

func (a *Admin) reloadSettings(ctx context.Context, _ *struct{}) (*output[[]adminapi.SettingChange], error) {
	if a.cfg.Settings == nil {
		return nil, errNoSettings
	}
	changes, err := a.cfg.Settings.Reload(ctx, by(ctx))
	if changes == nil {
		changes = []adminapi.SettingChange{}
	}
	return &output[[]adminapi.SettingChange]{changes}, err
}

var errNoSettings = fault.New(fault.NotFound, "", "this server has no settings outside its program")
