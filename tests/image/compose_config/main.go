// compose_config FILE: reads a Compose file with the library that `docker compose` itself reads it with, as
// `docker compose config` does, and prints what it comes to as JSON. It needs no engine. Exits 1 with the reason when the
// file is wrong: an unknown key, a volume or a dependency that is not there, a value that does not fit.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compose_config FILE")
		os.Exit(2)
	}
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv, cli.WithResolvedPaths(true))
	if err == nil {
		var project interface{}
		if project, err = cli.ProjectFromOptions(options); err == nil {
			encoder := json.NewEncoder(os.Stdout)
			encoder.SetIndent("", " ")
			err = encoder.Encode(project)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
