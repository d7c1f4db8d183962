//! The cryptographic module that computes signatures and digests: AWS-LC, or its FIPS module.

/// Cryptographic module that a program computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoModule {
    /// AWS-LC (`aws-lc-sys`).
    AwsLc,
    /// The FIPS 140-3 module of AWS-LC (`aws-lc-fips-sys`): the cargo feature `fips`.
    AwsLcFips,
}

/// The program was built with the cargo feature `fips`, and would compute outside of the FIPS
/// module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this program was built with the cargo feature `fips`, and {0}")]
pub struct NotInFipsMode(String);

impl CryptoModule {
    /// Cryptographic module that this program was built for.
    pub const BUILT: Self = if cfg!(feature = "fips") {
        Self::AwsLcFips
    } else {
        Self::AwsLc
    };

    /// Checks that the module that the program was built for computes. The gate and `refresh-crls`
    /// ask at their start; a program that uses [`Verifier`](crate::Verifier) by itself has to.
    ///
    /// The FIPS module tests itself when it is loaded, and ends the process if a test fails.
    ///
    /// # Errors
    /// [`NotInFipsMode`] for a build with the feature `fips` whose AWS-LC is not in FIPS mode.
    pub fn check() -> Result<Self, NotInFipsMode> {
        Self::BUILT.checked(aws_lc_rs::try_fips_mode())
    }

    /// Checks that TLS does not leave the module that the program was built for. `is_fips` is what
    /// rustls says about the configuration of connections.
    ///
    /// # Errors
    /// [`NotInFipsMode`] for a build with the feature `fips` and a configuration that offers other
    /// algorithms.
    pub fn check_tls(is_fips: bool) -> Result<(), NotInFipsMode> {
        Self::BUILT.checked_tls(is_fips)
    }

    fn checked(self, mode: Result<(), &str>) -> Result<Self, NotInFipsMode> {
        match (self, mode) {
            (Self::AwsLcFips, Err(reason)) => {
                Err(NotInFipsMode(format!("AWS-LC is not in FIPS mode: {reason}")))
            }
            _ => Ok(self),
        }
    }

    fn checked_tls(self, is_fips: bool) -> Result<(), NotInFipsMode> {
        if self.is_fips() && !is_fips {
            let reason = "TLS would use algorithms outside of the FIPS module";
            return Err(NotInFipsMode(reason.to_owned()));
        }
        Ok(())
    }

    /// Returns the stable word for logs: `aws-lc` or `aws-lc-fips`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwsLc => "aws-lc",
            Self::AwsLcFips => "aws-lc-fips",
        }
    }

    /// Returns true for the FIPS module.
    pub const fn is_fips(self) -> bool {
        matches!(self, Self::AwsLcFips)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_that_was_built_is_the_one_that_computes() {
        assert_eq!(CryptoModule::check(), Ok(CryptoModule::BUILT));
        let is_in_fips_mode = aws_lc_rs::try_fips_mode().is_ok();
        assert_eq!(CryptoModule::BUILT.is_fips(), is_in_fips_mode);
    }

    #[test]
    fn fips_build_without_fips_mode_is_an_error() {
        let error = CryptoModule::AwsLcFips
            .checked(Err("FIPS mode not enabled!"))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is not in FIPS mode: FIPS mode not enabled!")
        );
        let usual = CryptoModule::AwsLc.checked(Err("FIPS mode not enabled!"));
        assert_eq!(usual, Ok(CryptoModule::AwsLc));
    }

    #[test]
    fn tls_outside_of_the_module_is_an_error_of_fips_builds() {
        let error = CryptoModule::AwsLcFips.checked_tls(false).unwrap_err();
        assert!(error.to_string().contains("outside of the FIPS module"));
        assert_eq!(CryptoModule::AwsLcFips.checked_tls(true), Ok(()));
        assert_eq!(CryptoModule::AwsLc.checked_tls(false), Ok(()));
        // `make fips` runs this too.
        assert_eq!(
            CryptoModule::check_tls(false).is_err(),
            CryptoModule::BUILT.is_fips()
        );
    }
}
