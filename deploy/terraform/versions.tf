terraform {
  # The first in which a validation can compare variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first with header renaming on listeners.
      version = ">= 5.85"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.0"
    }
  }
}
