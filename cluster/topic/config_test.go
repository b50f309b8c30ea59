package topic

import (
	"testing"
	"time"

	livesettings "github.com/troupe-go/troupe/settings"
)

type configs struct {
	Topic    Config
	Consumer ConsumerConfig
}

func loadConfigs(t *testing.T, values map[string]any) (*configs, error) {
	t.Helper()
	live, err := livesettings.Load[configs](t.Context(), livesettings.Map(values))
	if err != nil {
		return nil, err
	}
	defer live.Close()
	return live.Get(), nil
}

func TestTheDefaultsOfSettingsAreThoseOfOptions(t *testing.T) {
	loaded, err := loadConfigs(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	bySettings, err := newTopicOptions([]Option{loaded.Topic})
	if err != nil {
		t.Fatal(err)
	}
	byOptions, _ := newTopicOptions([]Option{Durable()})
	if bySettings.settings != byOptions.settings || !bySettings.durable {
		t.Errorf("settings make it %+v, options %+v", bySettings, byOptions)
	}
	consumer, err := newSubscribing(true, []SubscribeOption{loaded.Consumer, Group("g")})
	if want, _ := newSubscribing(true, []SubscribeOption{Group("g")}); err != nil || consumer.window != want.window || consumer.ackDeadline != want.ackDeadline || consumer.maxAttempts != want.maxAttempts {
		t.Errorf("settings make it %+v, options %+v, %v", consumer, want, err)
	}
}

func TestSettingsOfATopicAreOptions(t *testing.T) {
	loaded, err := loadConfigs(t, map[string]any{
		"topic.partitions": 8, "topic.retain": map[string]any{"age": "1h", "bytes": "1MiB", "count": 7, "drop_oldest": true},
		"consumer": map[string]any{"window": 5, "ack_deadline": "1s", "max_attempts": 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := newTopicOptions([]Option{loaded.Topic})
	if want := (settings{8, Limits{time.Hour, 1 << 20, 7, true}}); err != nil || c.settings != want {
		t.Errorf("%+v, %v, want %+v", c.settings, err, want)
	}
	s, err := newSubscribing(true, []SubscribeOption{loaded.Consumer, Group("g")})
	if err != nil || s.window != 5 || s.ackDeadline != time.Second || s.maxAttempts != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for key, value := range map[string]any{
		"topic.partitions": 257, "topic.retain.count": -1, "topic.retain.age": "-1s",
		"consumer.window": 0, "consumer.ack_deadline": "1ms", "consumer.max_attempts": 0,
	} {
		if _, err := loadConfigs(t, map[string]any{key: value}); err == nil {
			t.Errorf("%s may be %v", key, value)
		}
	}
}
