package main

import (
	"os"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

func main() { os.Exit(program(3, time.Second).Main()) }

func program(kills int, calm time.Duration) stage.Program {
	d := disturbance{kills: kills, calm: calm}
	return stage.Program{Name: "bank", Longest: 2 * time.Minute, Run: d.run, Child: keepBank}
}
