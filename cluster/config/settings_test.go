package config_test

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/settings"
)

// shop is the settings of a service.
type shop struct {
	HTTP struct {
		Timeout time.Duration `default:"1s" validate:"min=1ms"`
	}
	Rate  float64
	Limit int64
}

func TestAServiceFollowsTheSettingsOfTheCluster(t *testing.T) {
	clustertest.Run(t, 3, func(t *testing.T, c *clustertest.Cluster) {
		all := open(t, c)
		<-time.After(settled)
		var lives []*settings.Live[shop]
		for _, d := range all {
			live, err := settings.Load[shop](t.Context(), settings.Map(map[string]any{"limit": 7}), settings.From("cluster", d))
			must(t, err)
			defer live.Close()
			lives = append(lives, live)
		}
		follow := func(want shop) {
			t.Helper()
			<-time.After(time.Second)
			for i, live := range lives {
				if got := *live.Get(); got != want {
					t.Errorf("node %d has %+v, want %+v", i, got, want)
				}
			}
		}
		want := shop{Limit: 7}
		want.HTTP.Timeout = time.Second
		follow(want)
		set(t, all[1], "http.timeout", 5*time.Second)
		set(t, all[1], "limit", 1<<60+1)
		good := set(t, all[1], "rate", 2.0)
		want.HTTP.Timeout, want.Limit, want.Rate = 5*time.Second, 1<<60+1, 2
		follow(want)
		set(t, all[2], "http.timeout", "0s") // no Check keeps it out
		follow(want)
		if s := lives[0].Status(); s.Err == nil {
			t.Errorf("it does not say that the last settings were refused: %+v", s)
		}
		_, err := all[2].Rollback(t.Context(), good.Number)
		must(t, err)
		set(t, all[0], "rate", 3.0)
		want.Rate = 3
		follow(want)
		_, err = all[0].Delete(t.Context(), "limit")
		must(t, err)
		want.Limit = 7 // what the source before has
		follow(want)
	})
}
