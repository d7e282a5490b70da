"""Pictures in Slack: finding, downloading and uploading them."""
