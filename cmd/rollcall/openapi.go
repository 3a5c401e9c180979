package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
)

func openapiCommand(w world) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI document of the REST API",
		Long:    "Openapi prints the description of the API that this binary serves, as YAML. A\nrunning server has the same at /openapi.yaml.",
		Example: "  rollcall openapi > openapi.yaml",
		Args:    exactArgs(),
		RunE: w.action(func(c *call) error {
			text, err := api.Spec()
			if err != nil {
				return err
			}
			return c.output(output, func(out io.Writer) error {
				_, err := out.Write(text)
				return err
			})
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write instead of the standard output")
	return cmd
}
