package badger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/settings"
)

func load(t *testing.T, values map[string]any) (Config, error) {
	t.Helper()
	live, err := settings.Load[Config](t.Context(), settings.Map(values))
	if err != nil {
		return Config{}, err
	}
	defer live.Close()
	return *live.Get(), nil
}

func TestTheDefaultsOfSettingsAreThoseOfTheZeroConfig(t *testing.T) {
	c, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.WithDefaults(), (Config{}).WithDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("settings say %+v, the zero Config is %+v", got, want)
	}
}

func TestAStoreOpensAsItsSettingsSay(t *testing.T) {
	key := hex.EncodeToString([]byte(firstKey))
	c, err := load(t, map[string]any{"dir": t.TempDir(), "encryption_key": key, "min_free": 1, "mem_table_size": "1MiB"})
	if err != nil {
		t.Fatal(err)
	}
	if string(c.EncryptionKey) != firstKey || c.MemTableSize != 1<<20 {
		t.Errorf("loaded %d bytes of key, %v", len(c.EncryptionKey), c.MemTableSize)
	}
	openStore(t, c)
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	for key, value := range map[string]any{"mem_table_size": "1KiB", "history_count": -1, "encryption_key": "no digits"} {
		_, err := load(t, map[string]any{key: value})
		if !errors.Is(err, settings.Invalid) && !errors.Is(err, settings.WrongType) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestAKeyIsNotPrinted(t *testing.T) {
	c := Config{EncryptionKey: Key(firstKey)}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", c.EncryptionKey, "config", c)
	for _, printed := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %x %s", c, c, c.EncryptionKey, c.EncryptionKey), log.String()} {
		if strings.Contains(printed, firstKey) || strings.Contains(printed, hex.EncodeToString([]byte(firstKey))) || !strings.Contains(printed, "REDACTED") {
			t.Errorf("printed %s", printed)
		}
	}
}
