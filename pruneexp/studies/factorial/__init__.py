"""What a factorial of two choices says of an accuracy: analysis of variance, shares of the variance, power, covariates."""
